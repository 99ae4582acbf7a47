"""A session of one process alone, for tests of what a process does with what it is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from broker.sharing import Holders, Polled

ALONE: Final = Holders((1,), 1)


class QuietSession:
    """A session in which nobody changes anything, and nobody else is there."""

    def poll(self, told: Collection[str] = ()) -> Polled:
        """Return that nothing changed."""
        return Polled({}, keeps_house=False, holders=ALONE)

    def close(self) -> None:
        """Nothing is held."""


class ToldSession(QuietSession):
    """A session that keeps what it was told to tell, and what others tell; away for some looks."""

    def __init__(self, away: int = 0) -> None:
        self.told: list[str] = []
        self.numbers: Mapping[str, int] = {}
        self.looks = 0
        self._away = away

    def poll(self, told: Collection[str] = ()) -> Polled:
        """Keep `told`, or fail."""
        self.looks += 1
        if 1 < self.looks <= 1 + self._away:
            raise ConnectionError
        self.told += sorted(told)
        return Polled(self.numbers, keeps_house=True, holders=ALONE)
