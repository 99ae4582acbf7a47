"""Turns: who is answered next where more is asked than can be answered at once.

Rule: partners take turns, whatever each of them sends, so that one partner's flood makes nobody
else wait behind it, and its long messages leave room for another's; what a partner cannot have
answered soon is refused rather than piled up.
Source: house reference "audit-log", Flooding.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.exchange.errors import RateLimitedError

AT_ONCE = 4
# With what is answered well under half of the requests that the broker takes on (`max_requests`):
# else one partner's flood would have everybody turned away at the door.
MOST_WAITING = 96


class Turns:
    """So many questions are answered at once; of those that wait, one per partner in turn.

    A batch holds its turn for seconds: no partner holds more than three quarters of them.
    """

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once = at_once
        self._most_held = max(1, at_once * 3 // 4)
        self._most_waiting = most_waiting
        self._held: Counter[str] = Counter()
        self._running = 0
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def take(self, partner: str) -> AsyncIterator[None]:
        """Wait for a turn of this partner and hold it.

        Raises RateLimitedError where too many questions of this partner wait already.
        """
        if self._running < self._at_once and self._held[partner] < self._most_held:
            self._give(partner)
        else:
            await self._wait(partner)
        try:
            yield
        finally:
            self._pass_on(partner)

    async def _wait(self, partner: str) -> None:
        line = self._lines.setdefault(partner, deque())
        if len(line) >= self._most_waiting:
            raise RateLimitedError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on(partner)  # the turn came and nobody is left to use it
            raise

    def _give(self, partner: str) -> None:
        self._running += 1
        self._held[partner] += 1

    def _pass_on(self, partner: str) -> None:
        """Take back the turn that is over and give it to the next in the row that may have it."""
        self._running -= 1
        self._held[partner] -= 1
        for name in list(self._lines):
            if self._held[name] >= self._most_held:
                continue
            turn = self._take_first(name)
            if turn is not None:
                self._give(name)
                turn.set_result(None)
                return

    def _take_first(self, name: str) -> asyncio.Future[None] | None:
        """Take the first that still waits out of a partner's line, and put that line last."""
        line = self._lines.pop(name)
        while line:
            turn = line.popleft()
            if not turn.done():
                if line:
                    self._lines[name] = line
                return turn
        return None
