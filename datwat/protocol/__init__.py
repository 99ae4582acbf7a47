"""What travels between the parties, and what anyone can check: pure functions and values only.

Nothing here reads a clock, a file, a socket or a database; time and randomness are passed in,
except where a cryptographic operation needs fresh randomness by definition.
"""
