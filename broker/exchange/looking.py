"""An auditor's look at what waits: two persons and a reason, written down before anything is shown.

Rules: nobody looks alone; each person whom something waiting is about gets one entry, which waits
with it and opens with it, so that they read later who looked, why and when. What the auditor is
then given holds places, hashes and openings, and no contents. Source: AVG 5(2), 23; house reference
"audit-log", Chains.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Organisation, Record, build_payload
from broker.audit.ports import LogStore
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job, PreparedEntry
from broker.exchange.opening import Openings, seal_draft
from broker.exchange.rooms import Rooms
from broker.exchange.writing import build_occasion_mark
from broker.involvement.special_situations import SpecialSituationRow, derive_number
from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional


class SecondPersonError(PartyError):
    """One person would look, or erase, alone."""

    code = "second_person"
    default_detail = "Two different persons do this together: name another second one."


class ReasonMissingError(PartyError):
    """Nobody looks or erases without a reason."""

    code = "reason_missing"
    default_detail = "Say why, in a sentence of at least ten characters."


_SHORTEST_REASON = 10


@dataclass(frozen=True, slots=True)
class Look:
    """Who looks, with whom, and why; the residents read the roles and the reason later."""

    by: Professional
    second: Professional
    reason: str

    def require(self) -> None:
        """Raise SecondPersonError or ReasonMissingError unless two persons have a reason."""
        if self.by.id == self.second.id:
            raise SecondPersonError
        if len(self.reason.strip()) < _SHORTEST_REASON:
            raise ReasonMissingError


class Looks:
    """Writes down that somebody looks at what waits."""

    def __init__(
        self, rooms: Rooms, store: LogStore, openings: Openings, party: Organisation
    ) -> None:
        self._rooms = rooms
        self._store = store
        self._openings = openings
        self._party = party

    async def record(self, look: Look) -> int:
        """Write one entry per person and situation that waits; return how many.

        Raises SecondPersonError, ReasonMissingError, LogError.
        """
        look.require()
        written = 0
        page = self._openings.list_waiting()
        while page:
            for row in page:
                written += await self._record_one(look, row)
            last = page[-1]
            page = self._openings.list_waiting((last.stated.until_at, derive_number(last)))
        return written

    async def _record_one(self, look: Look, row: SpecialSituationRow) -> int:
        now = self._rooms.clock().replace(microsecond=0)
        registers = self._rooms.registers

        def work(conn: Connection) -> Sequence[Appendable]:
            held = registers.special_situations.find_situation(conn, row.occasion_id)
            if held is None or held.id != row.id or held.opened_at is not None:
                return []  # opened meanwhile: nothing of it waits any more
            members = registers.occasions.list_members(conn, row.occasion_id, now)
            return [self._prepare(conn, one, look, held) for one in members]

        return len((await self._rooms.log.append(Job(work))).entries)

    def _prepare(
        self, conn: Connection, subject_id: bytes, look: Look, row: SpecialSituationRow
    ) -> PreparedEntry:
        now = self._rooms.clock().replace(microsecond=0)
        detail = Detail(
            ground=row.stated.ground,
            until_at=row.stated.until_at,
            looked_by=f"{look.by.role}, {look.second.role}"[:200],
            looked_because=look.reason.strip(),
        )
        record = Record(
            v=1,
            event="looked",
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="later",
            detail=detail,
        )
        draft = EntryDraft(
            chain=ChainRef(subject_id, "delayed"),
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + self._rooms.engine.retention,
            replay_input=build_occasion_mark(row.occasion_id, row, "own").encode(),
        )
        return seal_draft(self._rooms, self._store, conn, draft)
