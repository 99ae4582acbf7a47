"""How fast one person may read: the broker's rate is the portal's, and one resident's is a part.

Rule: a download of a long log goes at once, what comes on top of it waits a little, and what would
wait too long is asked to come back; nobody's reading stands in the way of somebody else's. Of who
reads only a hash is held. Source: `rate_per_second` and `rate_burst` of the broker.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Final

from connectors.portal.errors import TooFastError
from datwat.web.sessions import make_room

PER_SECOND: Final = 10.0
# A whole log of 10,000 entries, and some pages beside it.
BURST: Final = 150
_LONGEST_WAIT: Final = 5.0
_MOST: Final = 10_000


class Pace:
    """A bucket per handle that runs empty by itself; one object per process."""

    def __init__(self, per_second: float = PER_SECOND, burst: int = BURST) -> None:
        """Keep the rate; nobody has read anything."""
        self._step = 1 / per_second
        self._ahead = burst / per_second
        # By hash: the moment at which this person would have read as much, had they kept the rate.
        self._due: dict[bytes, float] = {}

    async def take(self, handle: bytes) -> None:
        """Take one reading of somebody's, waiting for it if need be; raise TooFastError."""
        key, now = hashlib.sha256(handle).digest(), time.monotonic()
        due = max(self._due.get(key, 0.0), now - self._ahead) + self._step
        if due - now > _LONGEST_WAIT:
            raise TooFastError
        self._due.pop(key, None)  # so that the first is who read longest ago
        make_room(self._due, _MOST)
        self._due[key] = due
        if due > now:
            await asyncio.sleep(due - now)
