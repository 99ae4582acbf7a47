"""The residents' pages: who asked for my data and why, who is involved, and what I say about it."""
