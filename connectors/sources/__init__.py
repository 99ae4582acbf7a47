"""A partner's own system, read by declaration and without code: SQL and REST."""
