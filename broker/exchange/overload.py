"""Messages over a partner's quota: counted, and stated in the log once per partner and hour.

Rule: a flood never reaches the tree message by message; that there was one does. A crash loses the
count of the hour that runs, never one that was stated.
Source: house reference "audit-log", Flooding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.records import Appendable, Job, Statement
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.values import encode_moment

_HOUR = timedelta(hours=1)


class Overload:
    """Counts what was refused for its number, by partner and hour (UTC)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[tuple[datetime, str], int] = {}

    def count(self, partner: str, now: datetime) -> None:
        """Count one refused message of a partner."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._counts[hour, partner] = self._counts.get((hour, partner), 0) + 1

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
