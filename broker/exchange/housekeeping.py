"""What ends by itself: pointers past their term, special situations that open, rows that are over.

Rules: an expired pointer is told in the person's log when it is taken away; only a situation whose
opening is automatic opens by itself; what is over is destroyed. Source: AVG 5(1)(e); protocol.md
section 10.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Record, build_payload
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job
from broker.exchange.acts import name_party
from broker.exchange.ends_keeping import EndsKeeping
from broker.exchange.notices import end_involvement
from broker.exchange.opening import Openings
from broker.exchange.rooms import Rooms
from broker.involvement.involvements import Involvement
from broker.involvement.special_situations import derive_state
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.subjects import draw_id
from datwat.party.spent import SpentRequests
from datwat.party.telemetry import get_logger, name_failure

_AT_ONCE = 32
_MOST_READ = 1_000
_SECONDS = 1.0
# A purge that destroyed so many rows has probably left some.
MANY = 500
Purge = Callable[[Connection, datetime], int]
_log = get_logger("housekeeping")


class Housekeeper:
    """Does one round at a time; every write goes through the log's own transaction."""

    def __init__(
        self,
        rooms: Rooms,
        openings: Openings,
        spent: SpentRequests,
        purge: Purge,
        ends: EndsKeeping | None = None,
    ) -> None:
        self._rooms = rooms
        self._openings = openings
        self._spent = spent
        self._purge = purge
        self._ends = ends
        self._one = asyncio.Lock()
        self._more = False
        self.failed: frozenset[str] = frozenset()
        self.last_at: datetime | None = None
        self.done: Counter[str] = Counter() if ends is None else ends.done

    async def run_round(self) -> bool:
        """Expire, open and destroy what is due: a bounded number of each; the rest is next time's.

        Return whether more was due than one round does. Rounds come one after another, whoever
        asks for them, and doing one again changes nothing.

        What fails, whatever it is, is logged and left for the next round, and holds up nothing
        else: neither another row nor another stage.
        """
        async with self._one:
            now, self._more, before = self._rooms.clock().replace(microsecond=0), False, self.failed
            self.failed = frozenset()
            await self._try("expiry", self._expire(now))
            await self._try("opening", self._open(now))
            await self._try("purge", self._destroy(now))
            await self._try("ends", self._end(now))
            if before and not self.failed:
                _log.info("housekeeping_goes_on", steps=" ".join(sorted(before)))
            self.last_at = now
            return self._more

    async def _try(self, what: str, step: Awaitable[object]) -> bool:
        try:
            await step
        except Exception as error:  # noqa: BLE001 - one bad row may not stop what others wait for
            _log.warning("housekeeping_failed", step=what, exception=name_failure(error))
            self.failed |= {what}
            return False
        return True

    async def _expire(self, now: datetime) -> None:
        with self._rooms.reading() as conn:
            ids = self._rooms.registers.involvements.list_expired(conn, now, _MOST_READ)
        done = 0
        for each in ids:
            done += await self._try("expiry", self._expire_one(each, now))
            if done == _AT_ONCE:
                self._more = True
                break
        self.done["pointers"] += done

    async def _open(self, now: datetime) -> None:
        with self._rooms.reading() as conn:
            ids = self._rooms.registers.special_situations.list_due(conn, now, _MOST_READ)
        for each in ids:
            await self._try("opening", self._open_one(each, now))

    async def _open_one(self, occasion_id: bytes, now: datetime) -> None:
        with self._rooms.reading() as conn:
            row = self._rooms.registers.special_situations.find_situation(conn, occasion_id)
        if row is not None and derive_state(row, now) == "due":
            await self._openings.open(row, None)
            self.done["special_situations"] += 1

    async def _destroy(self, now: datetime) -> None:
        count = 0

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal count
            count = self._purge(conn, now)
            self._spent.purge(conn, now)
            return []

        await self._rooms.log.append(Job(work))
        self.done["rows"] += count
        self._more |= count >= MANY

    async def _end(self, now: datetime) -> None:
        if self._ends is not None:
            self._more |= await self._ends.run(now, _SECONDS)

    async def _expire_one(self, involvement_id: bytes, now: datetime) -> None:
        rooms = self._rooms
        with rooms.reading() as conn:
            held = rooms.registers.involvements.find(conn, involvement_id, now)
            if held is None:
                return
            keys = rooms.sealing.fetch_keys(conn, [held.subject_id], now)[held.subject_id]
        entry = rooms.sealing.prepare_entry(keys, self._build_expired(held, now))

        def work(conn: Connection) -> Sequence[Appendable]:
            end_involvement(rooms.registers, conn, held, "expired", now, by=None)
            return [entry]

        with suppress(RaceLost):  # its source reconfirmed or ended it at this very moment
            await rooms.log.append(Job(work, [keys]))

    def _build_expired(self, held: Involvement, now: datetime) -> EntryDraft:
        """Return the entry that tells it, in the chain of all that is written of the pointer."""
        record = Record(
            v=1,
            event="expired",
            at=now,
            rid=draw_id(),
            requester=name_party(self._rooms.trust.directory, held.source),
            notice="now",
            detail=Detail(kind=held.kind, expires_at=held.expires_at, reason="expired"),
        )
        return EntryDraft(
            chain=ChainRef(held.subject_id, "own" if held.confidential else "open"),
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + self._rooms.engine.retention,
        )
