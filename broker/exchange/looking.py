"""An officer's or auditor's look: a reason, written down before anything is shown.

Rules: at what waits nobody looks alone; each person whom something waiting is about gets one entry,
which waits with it and opens with it, so that they read later who looked, why and when. What the
auditor is then given holds places, hashes and openings, and no contents. A look at one entry is an
entry of its person too, in the same chain, and waits while that entry waits; whoever looks alone
gets of an entry that waits the very answer that a number gets under which nothing can be looked at.
Source: AVG 5(2), 23; house reference "audit-log", Chains.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

from broker.audit.payloads import Detail, Organisation, Record, build_payload, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.records import (
    Appendable,
    ChainRef,
    EntryDraft,
    Job,
    LostRaceError,
    PreparedEntry,
)
from broker.exchange.answering_telling import require_no_number
from broker.exchange.opening import Openings, seal_draft
from broker.exchange.reading_entry import LookedEntry, build_looked
from broker.exchange.rooms import Rooms
from broker.exchange.writing import build_occasion_mark
from broker.involvement.special_situations import SpecialSituationRow, derive_number
from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional
from datwat.protocol.checkpoint import MAX_TREE_SIZE
from datwat.protocol.entry import Audience
from datwat.protocol.values import decode_bytes


class SecondPersonError(PartyError):
    """One person would look, or erase, alone."""

    code = "second_person"
    default_detail = "Two different persons do this together: name another second one."


class ReasonMissingError(PartyError):
    """Nobody looks or erases without a reason."""

    code = "reason_missing"
    default_detail = "Say why, in a sentence of at least ten characters."


class EntryUnknownError(PartyError):
    """Nothing that can be looked at under this number: there is nothing, it ended, or it waits."""

    code = "entry_unknown"
    default_detail = "Under this number there is no question that can be looked at."


_SHORTEST_REASON = 10


@dataclass(frozen=True, slots=True)
class Look:
    """Who looks, with whom, and why; the residents read the roles and the reason later."""

    by: Professional
    second: Professional
    reason: str

    def require(self) -> None:
        """Raise SecondPersonError, ReasonMissingError or NumberInAnswerError.

        Nothing is raised where two persons have a reason, without anybody's number in it.
        """
        if self.by.id == self.second.id:
            raise SecondPersonError
        if len(self.reason.strip()) < _SHORTEST_REASON:
            raise ReasonMissingError
        require_no_number(self.reason, self.by.role, self.second.role)


@dataclass(frozen=True, slots=True)
class EntryLook:
    """Who looks at one entry, and why; with a `second` person also at one that waits."""

    by: Professional
    reason: str
    second: Professional | None = None

    def require(self) -> None:
        """Raise SecondPersonError, ReasonMissingError or NumberInAnswerError: it is ill stated."""
        if self.second is not None and self.second.id == self.by.id:
            raise SecondPersonError
        if len(self.reason.strip()) < _SHORTEST_REASON:
            raise ReasonMissingError
        require_no_number(self.reason, self.roles)

    @property
    def roles(self) -> str:
        """In which roles they look: what the resident reads."""
        second = f", {self.second.role}" if self.second is not None else ""
        return f"{self.by.role}{second}"[:200]


@dataclass(frozen=True, slots=True)
class _Looked:
    """The entry that is looked at, and where the look is written."""

    row: EntryRow = field(repr=False)
    held: Mapping[str, Any] = field(repr=False)
    situation: SpecialSituationRow | None
    audience: Audience


class Looks:
    """Writes down that somebody looks: at what waits, or at one entry."""

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

    async def record_entry(self, number: int, look: EntryLook) -> LookedEntry:
        """Write that somebody looks at the entry of this number, and return what it says.

        Raises SecondPersonError, ReasonMissingError, EntryUnknownError, LogError.
        """
        look.require()
        with self._store.reading() as conn:
            found = self._find_looked(conn, number, is_alone=look.second is None)

        def work(conn: Connection) -> Sequence[Appendable]:
            waiting = self._find_waiting(conn, found.row, found.held)
            if (waiting is None) != (found.situation is None):
                raise LostRaceError  # it was opened meanwhile: the look belongs elsewhere
            return [self._prepare_look(conn, found, look)]

        await self._rooms.log.append(Job(work))
        with self._store.reading() as conn:
            return self._read(conn, found)

    def require_entry(self, number: int) -> LookedEntry:
        """Return what one person alone may look at, without writing that somebody does.

        For what a look goes on with: it is shown again to who looked, or a finding names it. Raises
        EntryUnknownError.
        """
        with self._store.reading() as conn:
            return self._read(conn, self._find_looked(conn, number, is_alone=True))

    def _find_looked(self, conn: Connection, number: int, *, is_alone: bool) -> _Looked:
        row = self._store.find_entry(conn, number) if 0 <= number < MAX_TREE_SIZE else None
        data = self._rooms.sealing.open_replay_input(conn, row) if row is not None else None
        held = orjson.loads(data) if data is not None else {}
        if row is None or row.subject_id is None or "evaluation" not in held:
            raise EntryUnknownError
        waiting = self._find_waiting(conn, row, held)
        if waiting is not None and is_alone:
            raise EntryUnknownError
        own = (held if row.audience == "delayed" else {"audience": row.audience})["audience"]
        return _Looked(row, held, waiting, "own" if own == "own" else "open")

    def _find_waiting(
        self, conn: Connection, row: EntryRow, held: Mapping[str, Any]
    ) -> SpecialSituationRow | None:
        """Return the situation that an entry waits on; None where it does not, or was opened."""
        if row.audience != "delayed" or not held["situation"] or not held["occasion"]:
            return None
        situations = self._rooms.registers.special_situations
        found = situations.find_situation(conn, decode_bytes(held["occasion"]))
        fits = found is not None and found.id == decode_bytes(held["situation"])
        return found if found is not None and fits and found.opened_at is None else None

    def _prepare_look(self, conn: Connection, found: _Looked, look: EntryLook) -> PreparedEntry:
        now = self._rooms.clock().replace(microsecond=0)
        waiting, row = found.situation, found.row
        detail = Detail(
            question_about=row.index,
            ground=waiting.stated.ground if waiting is not None else None,
            looked_by=look.roles,
            looked_because=look.reason.strip(),
        )
        record = Record(
            v=1,
            event="reviewed",
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="now" if waiting is None else "later",
            detail=detail,
        )
        mark = None
        if waiting is not None:
            mark = build_occasion_mark(waiting.occasion_id, waiting, found.audience).encode()
        assert row.subject_id is not None  # noqa: S101 - found as an entry about a person
        draft = EntryDraft(
            chain=ChainRef(row.subject_id, found.audience if waiting is None else "delayed"),
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + self._rooms.engine.retention,
            replay_input=mark,
        )
        return seal_draft(self._rooms, self._store, conn, draft)

    def _read(self, conn: Connection, found: _Looked) -> LookedEntry:
        row = found.row
        assert row.subject_id is not None  # noqa: S101 - found as an entry about a person
        (content,) = self._rooms.sealing.open_contents(conn, row.subject_id, [row])
        if content is None:
            raise EntryUnknownError
        record, waits = parse_payload(content.payload), found.situation is not None
        return build_looked(row.index, found.held, record, waits=waits)
