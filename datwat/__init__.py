"""datwat: a privacy-by-design data exchange broker for the social domain."""
