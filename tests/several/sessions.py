"""A session of one process alone, for tests of what a process does with what it is told."""

from __future__ import annotations

from broker.adapters.sharing_store import Holders
from broker.sharing import Polled


class QuietSession:
    """A session in which nobody changes anything, and nobody else is there."""

    def poll(self) -> Polled:
        """Return that nothing changed."""
        return Polled({}, keeps_house=False)

    def announce(self, name: str) -> None:
        """Nobody hears it."""

    def list_holders(self) -> Holders:
        """Return this process alone."""
        return Holders((1,), None)

    def close(self) -> None:
        """Nothing is held."""
