"""Being seen: the resident's own log, with proofs."""
