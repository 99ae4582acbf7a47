"""The schema of the key holder's database, step by step."""
