"""The broker's HTTP: plain routes, each for one kind of message."""
