"""The schema of the witness's database, step by step."""
