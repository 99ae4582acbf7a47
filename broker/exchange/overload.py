"""Messages over a partner's quota: slowed down, counted, and stated once per partner and hour.

Rule: a flood never reaches the tree message by message; that there was one does. Who sends too much
waits a second for its refusal, so that whoever sends as fast as it is answered sends slowly; only
so many wait, and nobody else waits for them. A crash loses the count of the hour that runs, never
one that was stated.
Source: house reference "audit-log", Flooding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.records import Appendable, Job, Statement
from datwat.party import metrics
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.values import encode_moment

MOST_HELD = 32
HELD_SECONDS = 1.0
_HOUR = timedelta(hours=1)


class Overload:
    """Counts what was refused for its number, by partner and hour (UTC)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[tuple[datetime, str], int] = {}
        self._held = 0

    async def refuse(self, partner: str, now: datetime) -> None:
        """Count a message of a partner that is refused for its number, and hold its refusal."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._counts[hour, partner] = self._counts.get((hour, partner), 0) + 1
        metrics.count("datwat_over_quota_total")
        if self._held >= MOST_HELD:
            return
        self._held += 1
        try:
            await asyncio.sleep(HELD_SECONDS)
        finally:
            self._held -= 1

    async def state_ended(self, now: datetime) -> int:
        """State every hour that is over in the log, and return how many statements that took."""
        ended = sorted(key for key in self._counts if key[0] + _HOUR <= now)
        for key in ended:
            statement = Statement(build_overload(*key, self._counts[key]), now)

            def work(_conn: Connection, statement: Statement = statement) -> Sequence[Appendable]:
                return [statement]

            await self._log.append(Job(work))
            del self._counts[key]
        return len(ended)


def build_overload(hour: datetime, partner: str, count: int) -> bytes:
    """Return the statement that so many messages of a partner were over its quota in an hour."""
    return encode_canonical(
        {
            "v": 1,
            "type": "over_quota",
            "partner": partner,
            "from": encode_moment(hour),
            "until": encode_moment(hour + _HOUR),
            "count": count,
        }
    )
