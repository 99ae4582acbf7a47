"""The demo: a covenant of real processes on one machine, and the seven cases played on it."""
