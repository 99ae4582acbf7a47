"""How many public requests read at once: whoever is not known takes no place of a partner's.

Rule: only so many read at once and only so many wait; the rest is told to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from datwat.party.problems import TooBusyError

_MOST_HERE: Final = 64  # those that read included

T = TypeVar("T")


class Places:
    """Lets so many read at once; refuses when too many wait: questions go on."""

    def __init__(self, at_once: int) -> None:
        """Give out `at_once` places."""
        self._places = asyncio.Semaphore(at_once)
        self._here = 0

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold a place; raise TooBusyError where too many are here."""
        if self._here >= _MOST_HERE:
            raise TooBusyError
        self._here += 1
        try:
            async with self._places:
                yield
        finally:
            self._here -= 1

    async def read(self, work: Callable[[], T]) -> T:
        """Run a read in a thread; raise TooBusyError."""
        async with self.take():
            return await asyncio.to_thread(work)
