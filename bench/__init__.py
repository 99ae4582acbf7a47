"""What the parties cost: measured on real processes with everything on (see docs/explanation)."""
