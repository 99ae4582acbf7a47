"""What ends by itself: pointers past their term, special situations that open, rows that are over.

Rules: an expired pointer is told in the person's log when it is taken away; only a situation whose
opening is automatic opens by itself; what is over is destroyed. Source: AVG 5(1)(e); protocol.md
section 10.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Record, build_payload
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job
from broker.exchange.acts import name_party
from broker.exchange.notices import end_involvement
from broker.exchange.opening import Openings
from broker.exchange.rooms import Rooms
from broker.involvement.involvements import Involvement
from broker.involvement.special_situations import derive_state
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.subjects import draw_id
from datwat.party.spent import SpentRequests
from datwat.party.telemetry import get_logger
from datwat.protocol.errors import DatwatError

_AT_ONCE = 32
_RETENTION = timedelta(days=365)
Purge = Callable[[Connection, datetime], int]
_log = get_logger("housekeeping")


class Housekeeper:
    """Does one round at a time; every write goes through the log's own transaction."""

    def __init__(
        self, rooms: Rooms, openings: Openings, spent: SpentRequests, purge: Purge
    ) -> None:
        self._rooms = rooms
        self._openings = openings
        self._spent = spent
        self._purge = purge

    async def run_round(self) -> None:
        """Expire, open and destroy what is due: a bounded number of each; the rest is next time's.

        What fails is logged and left for the next round, and holds up nothing else.
        """
        now = self._rooms.clock().replace(microsecond=0)
        with self._rooms.reading() as conn:
            expired = self._rooms.registers.involvements.list_expired(conn, now, _AT_ONCE)
        for held in expired:
            await self._try("expiry", self._expire_one(held, now))
        due = [row for row in self._openings.list_waiting() if derive_state(row, now) == "due"]
        for row in due[:_AT_ONCE]:
            await self._try("opening", self._openings.open(row, None))
        await self._try("purge", self._destroy(now))

    async def _try(self, what: str, step: Awaitable[object]) -> None:
        try:
            await step
        except DatwatError as error:
            _log.warning("housekeeping_failed", step=what, code=error.code)

    async def _destroy(self, now: datetime) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            self._purge(conn, now)
            self._spent.purge(conn, now)
            return []

        await self._rooms.log.append(Job(work))

    async def _expire_one(self, held: Involvement, now: datetime) -> None:
        rooms = self._rooms
        record = Record(
            v=1,
            event="expired",
            at=now,
            rid=draw_id(),
            requester=name_party(rooms.trust.directory, held.source),
            notice="now",
            detail=Detail(kind=held.kind, expires_at=held.expires_at, reason="expired"),
        )
        draft = EntryDraft(
            chain=ChainRef(held.subject_id, "own" if held.confidential else "open"),
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + _RETENTION,
        )
        with rooms.reading() as conn:
            keys = rooms.sealing.fetch_keys(conn, [held.subject_id], now)[held.subject_id]
        entry = rooms.sealing.prepare_entry(keys, draft)

        def work(conn: Connection) -> Sequence[Appendable]:
            end_involvement(rooms.registers, conn, held, "expired", now, by=None)
            return [entry]

        try:
            await rooms.log.append(Job(work, [keys]))
        except RaceLost:
            return  # its source reconfirmed or ended it at this very moment
