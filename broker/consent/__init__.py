"""What the resident said: consent or written no-objection, its withdrawal, objection, shield."""
