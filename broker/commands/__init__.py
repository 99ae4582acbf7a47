"""What operators and officers type, and what the running broker does for it."""
