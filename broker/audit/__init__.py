"""The log: nothing leaves before it is written, and nothing written can vanish."""
