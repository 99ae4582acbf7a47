"""The demo: a covenant of real processes on one machine, and the six cases played on it."""
