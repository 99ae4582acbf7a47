"""Every row about a person has an end here, and this destroys it (promise 6: nothing for ever).

Rules: a row ends with what it is about, as the broker's answers and terms say it (protocol.md
section 10); a proof that a resident's bundle may be held against lives five years, and so does the
number that finds it. A round is bounded and does no harm when it is done again. Source: AVG
5(1)(e). Every table with its end: docs/explanation/ends.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    Engine,
    Select,
    Table,
    and_,
    delete,
    exists,
    or_,
    select,
    tuple_,
)
from sqlalchemy.sql.elements import KeyedColumnElement

from connectors.client.store import HANDLE_USED_FOR
from connectors.gateway.evidence import KEPT_FOR
from connectors.gateway_tables import (
    gateway_alarms,
    gateway_contacts,
    gateway_ended,
    gateway_opened,
    gateway_orders,
    gateway_spent,
)
from connectors.tables import (
    clients,
    contact_requests,
    evidence,
    involvements,
    occasion_members,
    occasion_staff,
    occasions,
    pointers,
    sync_failures,
    sync_runs,
)
from datwat.party import clock
from datwat.party.database import READ_ONLY, truncate_journal
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.values import encode_moment

BATCH: Final = 500  # rows of one table in one round
_EVERY: Final = timedelta(minutes=10)
_PAUSE: Final = 0.2  # seconds between rounds while more is due: others write too
# What the broker decided just before a pointer expired is under way no longer than this.
_UNDER_WAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_CONTACT_OVER: Final = timedelta(days=30)
_OCCASION_CLOSED: Final = timedelta(days=365)
_OCCASION_LONGEST: Final = timedelta(days=5 * 365)
_log = get_logger("housekeeping")


@dataclass(frozen=True, slots=True)
class End:
    """A table, and which of its rows are over at a moment in Unix seconds."""

    table: Table
    is_over: Callable[[int], ColumnElement[bool]]

    def build_probe(self, now: int) -> Select[Any]:
        """Return the query that finds one row that is over."""
        return select(*self.table.primary_key.columns).where(self.is_over(now)).limit(1)

    def build_purge(self, now: int, limit: int) -> Delete:
        """Return the statement that destroys at most `limit` rows that are over."""
        keys = tuple(self.table.primary_key.columns)
        due = select(*keys).where(self.is_over(now)).limit(limit)
        return delete(self.table).where(
            tuple_(*keys).in_(due) if len(keys) > 1 else keys[0].in_(due)
        )


def _past(column: KeyedColumnElement[int], now: int, term: timedelta) -> ColumnElement[bool]:
    return column <= now - int(term.total_seconds())


def _is_told(reference: KeyedColumnElement[bytes], now: int) -> ColumnElement[bool]:
    """Whether the broker told a month ago that this reference ended."""
    return exists().where(
        gateway_ended.c.reference == reference, _past(gateway_ended.c.told_at, now, _MONTH)
    )


def _is_pointer_over(now: int) -> ColumnElement[bool]:
    c = pointers.c
    return or_(_past(c.shown_at, now, HANDLE_USED_FOR), _is_told(c.reference, now))


def _is_involvement_over(now: int) -> ColumnElement[bool]:
    """Past the expiry that the broker gave, or a month after the broker told that it ended."""
    c = involvements.c
    unlimited = and_(c.expires_at.is_(None), _past(c.confirmed_at, now, HANDLE_USED_FOR))
    return or_(_past(c.expires_at, now, _UNDER_WAY), unlimited, _is_told(c.reference, now))


def _is_ended_over(now: int) -> ColumnElement[bool]:
    """Not before what it is about: while that is there, it must stay known to have ended."""
    c = gateway_ended.c
    own = exists().where(involvements.c.reference == c.reference)
    shown = exists().where(pointers.c.reference == c.reference)
    return and_(_past(c.told_at, now, _MONTH), ~own, ~shown)


def _is_closed_over(now: int) -> ColumnElement[bool]:
    c = occasions.c
    closed = _past(c.closed_at, now, _OCCASION_CLOSED)
    return or_(closed, _past(c.opened_at, now, _OCCASION_LONGEST))


def _is_occasion_over(now: int) -> ColumnElement[bool]:
    members = exists().where(occasion_members.c.occasion == occasions.c.number)
    staff = exists().where(occasion_staff.c.occasion == occasions.c.number)
    return and_(_is_closed_over(now), ~members, ~staff)


def _is_member_over(now: int) -> ColumnElement[bool]:
    return occasion_members.c.occasion.in_(select(occasions.c.number).where(_is_closed_over(now)))


def _is_staff_over(now: int) -> ColumnElement[bool]:
    return occasion_staff.c.occasion.in_(select(occasions.c.number).where(_is_closed_over(now)))


def _is_failure_over(now: int) -> ColumnElement[bool]:
    old = select(sync_runs.c.run).where(_past(sync_runs.c.started_at, now, _MONTH))
    return sync_failures.c.run.in_(old)


def _is_evidence_over(now: int) -> ColumnElement[bool]:
    """A message that got no answer that counts proves nothing: it does not stay for years."""
    c = evidence.c
    proves_nothing = and_(c.state.in_(("pending", "refused")), _past(c.sent_at, now, _MONTH))
    return or_(_past(c.sent_at, now, KEPT_FOR), proves_nothing)


# In this order: members and staff before their occasion, what ended before the notice that it did.
ENDS: Final = (
    End(gateway_spent, lambda now: _past(gateway_spent.c.until_at, now, 2 * CLOCK_SKEW)),
    End(gateway_contacts, lambda now: gateway_contacts.c.until_at <= now),
    End(gateway_orders, lambda now: _past(gateway_orders.c.at, now, KEPT_FOR)),
    End(gateway_opened, lambda now: _past(gateway_opened.c.told_at, now, KEPT_FOR)),
    End(gateway_alarms, lambda now: _past(gateway_alarms.c.cleared_at, now, KEPT_FOR)),
    End(involvements, _is_involvement_over),
    End(pointers, _is_pointer_over),
    End(gateway_ended, _is_ended_over),
    End(contact_requests, lambda now: _past(contact_requests.c.sent_at, now, _CONTACT_OVER)),
    End(occasion_members, _is_member_over),
    End(occasion_staff, _is_staff_over),
    End(occasions, _is_occasion_over),
    End(sync_failures, _is_failure_over),
    End(evidence, _is_evidence_over),
    End(clients, lambda now: _past(clients.c.used_at, now, KEPT_FOR)),
)


def purge_ended(engine: Engine, now: datetime, limit: int = BATCH) -> Counter[str]:
    """Destroy at most `limit` rows of each table that are over; return how many, by table.

    A transaction per table, and none where nothing is over: nobody waits for that. Call it again
    until it returns nothing.
    """
    seconds, ended = int(now.timestamp()), Counter[str]()
    for end in ENDS:
        with engine.connect() as connection:
            reading = connection.execution_options(**{READ_ONLY: True})
            if reading.execute(end.build_probe(seconds)).first() is None:
                continue
        with engine.begin() as connection:
            count = connection.execute(end.build_purge(seconds, limit)).rowcount
        ended[end.table.name] += count
    return ended


class Housekeeper:
    """Destroys what is over, in the background of the running connector."""

    def __init__(self, engine: Engine) -> None:
        """Keep the database."""
        self._engine = engine
        self.last_at: datetime | None = None
        self.has_failed = False
        self.ended: Counter[str] = Counter()
        self._is_untidy = True  # what an earlier process destroyed may lie in the journal yet

    async def run(self) -> None:
        """Do round after round, until it is cancelled."""
        while True:
            more = await self.run_round()
            await asyncio.sleep(_PAUSE if more else _EVERY.total_seconds())

    async def run_round(self) -> bool:
        """Do one round; return whether more may be due. What fails is left for the next one."""
        now = clock.now()
        try:
            ended = await asyncio.to_thread(purge_ended, self._engine, now)
            if ended or self._is_untidy:
                self._is_untidy = not await asyncio.to_thread(truncate_journal, self._engine)
        except Exception as error:  # noqa: BLE001 - a database that is away comes back
            _log.warning("housekeeping_failed", exception=name_failure(error))
            self.has_failed = self._is_untidy = True
            return False
        self.last_at, self.has_failed = now, False
        self.ended += ended
        return any(count >= BATCH for count in ended.values())

    def build_status(self) -> dict[str, Any]:
        """Return what `status` shows: when the last round was, and what ended since the start."""
        return {
            "housekeeping_at": encode_moment(self.last_at) if self.last_at else None,
            "housekeeping_failed": self.has_failed,
            "housekeeping_ended": " ".join(f"{k}={n}" for k, n in sorted(self.ended.items())),
        }
