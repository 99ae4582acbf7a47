"""The key holder: evaluates blinded points, and learns neither who is asked for nor why."""
