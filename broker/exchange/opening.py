"""Opening a special situation: what waited becomes an ordinary entry, with when, who and why later.

Rules: where the ground is safety only a named person opens; each delayed entry of the situation is
repeated in its person's own chain with a core that names the old place and commit, so that nothing
can be left out unseen; the parties to it are told with a proof. What waits is listed in the very
transaction that opens: whatever is written after it sees that it was opened. Source: AVG 23, UAVG
41; audit-log.md ("Chains").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection

from broker.audit.payloads import (
    Detail,
    Organisation,
    Record,
    Reopened,
    build_payload,
    parse_payload,
)
from broker.audit.ports import EntryRow, LogStore
from broker.audit.records import (
    Appendable,
    ChainRef,
    EntryDraft,
    Job,
    LostRaceError,
    PreparedEntry,
)
from broker.audit.sealing import store_keys
from broker.exchange.notices import build_opened
from broker.exchange.rooms import Rooms
from broker.exchange.writing import build_occasion_mark
from broker.involvement.special_situations import (
    Place,
    RenewalRefusedError,
    SpecialSituationRow,
    derive_state,
    require_renewal,
)
from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.deliveries import OpenedCore
from datwat.protocol.entry import Audience, Content, parse_entry
from datwat.protocol.log_cores import Term, build_renewed_core
from datwat.protocol.values import encode_bytes

_BATCH = 200
_PAGE = 200
_SHORTEST_REASON = 10
FindSubjects = Callable[[Connection, datetime], tuple[bytes, ...]]
FindRenewal = Callable[[str], timedelta]


class SituationUnknownError(PartyError):
    """No special situation that waits under this number."""

    code = "situation_unknown"
    default_detail = "No special situation waits under this number: see `datwat special list`."


class OpeningEarlyError(PartyError):
    """Its term is not over."""

    code = "opening_early"
    default_detail = "The term of this special situation is not over."


class RenewalReasonError(PartyError):
    """A renewal without a reason: the person reads it when it opens."""

    code = "renewal_reason"
    default_detail = "Say why the term must be longer, in a sentence of at least ten characters."


@dataclass(frozen=True, slots=True)
class Why:
    """In which role somebody decided, and why; the person reads both when it opens."""

    role: str
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One delayed entry with what it holds."""

    row: EntryRow = field(repr=False)
    content: Content = field(repr=False)
    record: Record = field(repr=False)
    audience: Audience


class Openings:
    """Lists, renews and opens special situations."""

    def __init__(
        self,
        rooms: Rooms,
        store: LogStore,
        party: Organisation,
        *,
        find_subjects: FindSubjects,
        find_renewal: FindRenewal,
    ) -> None:
        """Keep the rooms; `find_renewal` gives the policy's longest renewal on a ground."""
        self._rooms = rooms
        self._store = store
        self._party = party
        self._find_subjects = find_subjects
        self._find_renewal = find_renewal

    def list_waiting(self, after: Place | None = None) -> list[SpecialSituationRow]:
        """Return a page of what is not opened, the earliest end first; empty beyond the last."""
        situations = self._rooms.registers.special_situations
        with self._rooms.reading() as conn:
            return list(situations.list_unopened(conn, _PAGE, after))

    def count_waiting(self) -> tuple[int, int]:
        """Return how many are not opened, and how many of these are overdue."""
        now = self._rooms.clock()
        with self._rooms.reading() as conn:
            return self._rooms.registers.special_situations.count_unopened(conn, now)

    def require_waiting(self, number: str) -> SpecialSituationRow:
        """Return what waits under a number; raise SituationUnknownError."""
        with self._rooms.reading() as conn:
            row = self._rooms.registers.special_situations.find_unopened(conn, number)
        if row is None:
            raise SituationUnknownError
        return row

    async def renew(
        self, row: SpecialSituationRow, until_at: datetime, by: Professional, reason: str
    ) -> None:
        """Move the term, and write so for every person, with who decided it and why.

        Raises RenewalReasonError, RenewalRefusedError, LogError.
        """
        reason = reason.strip()
        if len(reason) < _SHORTEST_REASON:
            raise RenewalReasonError
        why = Why(by.role, reason)
        now = self._rooms.clock().replace(microsecond=0)
        longest = self._find_renewal(row.stated.ground)
        registers = self._rooms.registers

        def work(conn: Connection) -> Sequence[Appendable]:
            held = registers.special_situations.find_situation(conn, row.occasion_id)
            if held is None or held.id != row.id:
                raise RenewalRefusedError
            require_renewal(held, until_at, now, longest)
            stated = held.stated.model_copy(update={"until_at": until_at})
            renewed = replace(held, stated=stated)
            registers.special_situations.renew(conn, renewed)
            members = registers.occasions.list_members(conn, row.occasion_id, now)
            return [self._prepare_renewed(conn, one, renewed, why, now) for one in members]

        await self._rooms.log.append(Job(work))

    async def open(self, row: SpecialSituationRow, by: Professional | None) -> int:
        """Open it, by a person or (None) by its term; return how many entries can now be seen.

        Raises OpeningEarlyError where nobody decides and it is not due.
        """
        now = self._rooms.clock().replace(microsecond=0)
        if by is None and derive_state(row, now) != "due":
            raise OpeningEarlyError
        registers = self._rooms.registers

        def work(conn: Connection) -> Sequence[Appendable]:
            registers.special_situations.mark_opened(conn, row.occasion_id, by, now)
            subjects = self._find_subjects(conn, row.declared_at)
            waiting = [one for each in subjects for one in self._list_entries(conn, each, row)]
            entries = [self._prepare_opened(conn, one, row, by, now) for one in waiting]
            self._store.show_seen(conn, [one.row.index for one in waiting], now)
            for one, entry in zip(waiting, entries, strict=True):
                core = build_opened_core(one.row, now)
                for notice in build_opened(one.record, entry, core, self._party.id, now):
                    registers.notices.add(conn, notice, now)
            return entries

        appended = await self._rooms.log.append(Job(work, sees_all=True))
        return len(appended.entries)

    def _list_entries(
        self, conn: Connection, subject_id: bytes, row: SpecialSituationRow
    ) -> list[_Waiting]:
        """Return the delayed entries of one person that wait on the situation, oldest first."""
        wanted = encode_bytes(row.id)
        found: list[_Waiting] = []
        before: int | None = None
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, ["delayed"], limit=_BATCH, before=before
            )
            contents = self._rooms.sealing.open_contents(conn, subject_id, rows)
            for entry, content in zip(rows, contents, strict=True):
                mark = self._rooms.sealing.open_replay_input(conn, entry)
                if content is None or mark is None:
                    continue
                held = orjson.loads(mark)
                if held["situation"] == wanted:
                    audience: Audience = "own" if held.get("audience") == "own" else "open"
                    record = parse_payload(content.payload)
                    found.append(_Waiting(entry, content, record, audience))
            if len(rows) < _BATCH:
                return found[::-1]
            before = rows[-1].index

    def _prepare_opened(
        self,
        conn: Connection,
        one: _Waiting,
        row: SpecialSituationRow,
        by: Professional | None,
        now: datetime,
    ) -> PreparedEntry:
        reopened = Reopened(
            index=one.row.index,
            commit=parse_entry(one.row.entry).hash,
            salt=one.content.salt,
            core=one.content.core,
            payload=one.content.payload,
        )
        detail = Detail(
            ground=row.stated.ground,
            until_at=row.stated.until_at,
            opening=row.stated.opening,
            decider_role=by.role if by else row.stated.decider.role,
        )
        record = Record(
            v=1,
            event="opened",
            at=now,
            rid=one.record.rid,
            requester=one.record.requester,
            notice="now",
            detail=detail,
            reopened=reopened,
        )
        assert one.row.subject_id is not None  # noqa: S101 - an entry about a person
        return self._seal(
            conn,
            ChainRef(one.row.subject_id, one.audience),
            build_opened_core(one.row, now),
            record,
            one.row.retention_until or now + self._rooms.engine.retention,
        )

    def _prepare_renewed(
        self,
        conn: Connection,
        subject_id: bytes,
        row: SpecialSituationRow,
        why: Why,
        now: datetime,
    ) -> PreparedEntry:
        stated = row.stated
        record = Record(
            v=1,
            event="renewed",
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="later",
            detail=Detail(
                ground=stated.ground,
                until_at=stated.until_at,
                opening=stated.opening,
                decider_role=why.role,
                decided_because=why.reason,
            ),
        )
        mark = build_occasion_mark(row.occasion_id, row, "own")
        chain = ChainRef(subject_id, "delayed")
        kept_until = now + self._rooms.engine.retention
        core = build_renewed_core(Term(at=now, until_at=stated.until_at, opening=stated.opening))
        return self._seal(conn, chain, core, record, kept_until, mark.encode())

    def _seal(  # noqa: PLR0917 - what an entry is made of
        self,
        conn: Connection,
        chain: ChainRef,
        core: bytes,
        record: Record,
        retention_until: datetime,
        mark: bytes | None = None,
    ) -> PreparedEntry:
        draft = EntryDraft(
            chain=chain,
            core=core,
            payload=build_payload(record),
            at=record.at,
            retention_until=retention_until,
            replay_input=mark,
        )
        return seal_draft(self._rooms, self._store, conn, draft)


def seal_draft(rooms: Rooms, store: LogStore, conn: Connection, draft: EntryDraft) -> PreparedEntry:
    """Return the sealed entry of a draft, with its keys written; raise LostRaceError."""
    subject_id = draft.chain.subject_id
    keys = rooms.sealing.fetch_keys(conn, [subject_id], draft.at)[subject_id]
    if not store_keys(store, conn, keys):
        raise LostRaceError
    return rooms.sealing.prepare_entry(keys, draft)


def build_opened_core(row: EntryRow, now: datetime) -> bytes:
    """Return the core of the entry that opens an earlier one: its place and commit, and when."""
    commit = parse_entry(row.entry).hash
    core = OpenedCore(v=1, type="opened", index=row.index, commit=commit, at=now)
    return encode_canonical(core.model_dump(mode="json"))
