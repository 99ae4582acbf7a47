"""The gateway: what the broker may ask of this source, and what it is told by it."""
