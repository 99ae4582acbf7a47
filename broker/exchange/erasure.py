"""Erasure on request: two officers answer what a person wished at the portal (AVG 17).

Rules: only a wish that the person made about a card of their own log is answered, so that no number
destroys somebody else's; nobody answers alone, or without a reason. The answer is an entry in the
chain of the wish: *erased … because …*, or *kept … because …* where a law obliges to keep. It, the
pointer that the card tells of, the contents of the card and of what followed on it end in one
transaction: a crash leaves all of it or nothing, and a wish is answered once. The ratchet holds
what was erased before that is committed, so that a restored copy erases it again. Whoever may not
know of an entry cannot tell it from none. Source: AVG 12(3)-(4), 17, 19; Jeugdwet 7.3.9; Wmo 2015
5.3.5; audit-log.md ("Ends").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from broker.audit.ended import note_ended
from broker.audit.erasing import Eraser
from broker.audit.own_lines import Line, OwnLines
from broker.audit.payloads import Detail, Event, Organisation, Record, build_payload
from broker.audit.ports import LogStore
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job, PreparedEntry
from broker.exchange.kept import FindPurpose, Keeping, find_keeping
from broker.exchange.looking import Look
from broker.exchange.notices import end_involvement
from broker.exchange.rooms import Rooms
from datwat.party.errors import PartyError
from datwat.protocol.entry import derive_quarter, parse_entry
from datwat.protocol.log_cores import build_ended_core

_QUARTERS = 4
_VISIBLE = {"own": ("open", "own"), "open": ("open",)}
Outcome = Literal["erased", "kept"]
_ANSWERS: frozenset[Event] = frozenset({"erased", "kept"})


class WishUnknownError(PartyError):
    """No wish for erasure under this number; a delayed entry looks the same."""

    code = "erasure_unknown"
    default_detail = (
        "Under this number no resident wished that something be erased: ask them for the number "
        "that the portal gave them."
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """How a wish was answered; `law` and `kept_until` where something is kept."""

    outcome: Outcome
    contents: int = 0
    law: str | None = None
    kept_until: datetime | None = None
    before: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """A wish for erasure: its number, whose it is, in which chain, and which card it is about."""

    number: int
    chain: ChainRef
    erases: int
    at: datetime


class Erasures:
    """Answers wishes for erasure."""

    def __init__(
        self,
        rooms: Rooms,
        store: LogStore,
        eraser: Eraser,
        *,
        party: Organisation,
        find_purpose: FindPurpose,
        on_erased: Callable[[int], None],
    ) -> None:
        """Keep the rooms; `on_erased` hears how many contents were destroyed."""
        self._rooms = rooms
        self._store = store
        self._eraser = eraser
        self._party = party
        self._find_purpose = find_purpose
        self._on_erased = on_erased
        self._lines = OwnLines(store, rooms.sealing)

    async def answer(self, number: int, look: Look) -> Answer:
        """Answer the wish whose entry has this number; again, it tells how it was answered.

        Raises WishUnknownError, SecondPersonError, ReasonMissingError, LogError.
        """
        look.require()
        now = self._rooms.clock().replace(microsecond=0)
        with self._rooms.reading() as conn:
            wish = self._require_wish(conn, number)
            answered = self._find_answer(conn, wish)
            target = self._store.find_entry(conn, wish.erases)
            since = (target.quarter if target else None) or derive_quarter(now)
        if answered is not None:
            return answered
        answer = Answer("kept")

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal answer
            held = self._find_answer(conn, wish)  # another officer may have been first
            if held is not None:
                answer = held
                return []
            answer, entries = self._decide(conn, wish, look, now)
            return entries

        quarters = list_quarters(since, derive_quarter(now))
        places = [(wish.chain.subject_id, each) for each in quarters]
        log, job = self._rooms.log, Job(work, sees_all=True)
        await self._rooms.sealing.replaced.replace(places, lambda: log.append(job))
        self._on_erased(answer.contents if not answer.before else 0)
        return answer

    def _require_wish(self, conn: Connection, number: int) -> _Wish:
        row = self._store.find_entry(conn, number) if number >= 0 else None
        if row is None or row.subject_id is None:
            raise WishUnknownError
        line = self._lines.find(conn, row.subject_id, number, _VISIBLE["own"])
        detail = line.record.detail if line and line.record.event == "wish" else None
        if detail is None or detail.erases is None or row.audience not in _VISIBLE:
            raise WishUnknownError
        chain = ChainRef(row.subject_id, "own" if row.audience == "own" else "open")
        return _Wish(number, chain, detail.erases, row.at)

    def _find_answer(self, conn: Connection, wish: _Wish) -> Answer | None:
        """Return how a wish was answered before, from the answer in its chain."""
        chain = wish.chain
        for line in self._lines.read_since(conn, chain.subject_id, (chain.audience,), wish.number):
            detail, event = line.record.detail, line.record.event
            # A wish may also have asked something: an answer to that is another event.
            if event not in _ANSWERS or detail is None or detail.answers != wish.number:
                continue
            outcome: Outcome = "erased" if event == "erased" else "kept"
            until = detail.until_at if outcome == "kept" else None
            return Answer(outcome, detail.count or 0, detail.law, until, before=True)
        return None

    def _decide(
        self, conn: Connection, wish: _Wish, look: Look, now: datetime
    ) -> tuple[Answer, list[PreparedEntry]]:
        """End what may end, in the writer's transaction; return the answer and what tells of it."""
        subject_id = wish.chain.subject_id
        self._rooms.registers.wishes.end_erasure(conn, subject_id, wish.erases, wish.at)
        target = self._lines.find(conn, subject_id, wish.erases, _VISIBLE[wish.chain.audience])
        if target is None:  # it ended by itself since the wish
            return self._tell(conn, wish, look, now, [])
        lines = self._list_followed(conn, target)
        keeping = next(
            (one for line in lines if (one := find_keeping(line.record, self._find_purpose))), None
        )
        if keeping is not None:
            ends = [one.row.retention_until for one in lines if one.row.retention_until]
            return self._tell_kept(conn, wish, look, now, keeping, max(ends))
        self._end_pointer(conn, target, now)
        self._erase(conn, lines, now)
        return self._tell(conn, wish, look, now, lines)

    def _list_followed(self, conn: Connection, target: Line) -> list[Line]:
        """Return an entry, and what later ones say of the same message (its outcome)."""
        row = target.row
        assert row.subject_id is not None  # noqa: S101 - an entry about a person
        assert row.audience is not None  # noqa: S101 - as above
        later = self._lines.read_since(conn, row.subject_id, (row.audience,), row.index)
        followed = (line for line in later if line.record.rid == target.record.rid)
        return [target, *followed]

    def _end_pointer(self, conn: Connection, target: Line, now: datetime) -> None:
        """End the pointer that a registration tells of; source and holders are told.

        One of the same kind that its source registered later has a card of its own.
        """
        record, detail, registers = target.record, target.record.detail, self._rooms.registers
        if record.event != "register" or detail is None or target.row.subject_id is None:
            return
        source = record.requester.id
        for held in registers.involvements.list_current_of(
            conn, target.row.subject_id, source, now
        ):
            fits = held.confidential == (target.row.audience == "own")
            if fits and held.kind == detail.kind and held.registered_at <= record.at:
                # Its source reads that the resident asked: what it holds itself is its own duty
                # to destroy (Jeugdwet 7.3.9; Wmo 2015 5.3.5). Other holders read that it ended.
                end_involvement(registers, conn, held, "on_request", now, by=None)

    def _erase(self, conn: Connection, lines: Sequence[Line], now: datetime) -> None:
        places, commits = [], set()
        for line in lines:
            subject_id, quarter = line.row.subject_id, line.row.quarter
            commit = parse_entry(line.row.entry).hash
            assert subject_id is not None  # noqa: S101 - an entry about a person
            assert quarter is not None  # noqa: S101 - as above
            places.append((subject_id, quarter))
            commits.add(commit)
            note_ended("asked", subject_id, quarter.encode(), commit)
        self._eraser.erase_chosen(conn, places, commits, now)

    def _tell(
        self, conn: Connection, wish: _Wish, look: Look, now: datetime, lines: Sequence[Line]
    ) -> tuple[Answer, list[PreparedEntry]]:
        """Return the answer; where the contents lay in another chain, that one is told of it too.

        A child's own wish is theirs alone: the chain that a representative reads is told how much
        ended on request, not who wished what.
        """
        moments = [line.row.at for line in lines] or [wish.at]
        ended = Detail(
            reason="on_request", count=len(lines), since_at=min(moments), until_at=max(moments)
        )
        core = _build_core(lines)
        answered = ended.model_copy(update=_describe(wish, look))
        answer, audience = Answer("erased", len(lines)), wish.chain.audience
        if all(line.row.audience == audience for line in lines):
            return answer, [self._seal(conn, wish.chain, "erased", answered, now, core)]
        told = ChainRef(wish.chain.subject_id, "open")
        return answer, [
            self._seal(conn, told, "erased", ended, now, core),
            self._seal(conn, wish.chain, "erased", answered, now),
        ]

    def _tell_kept(  # noqa: PLR0917 - what an answer is made of
        self,
        conn: Connection,
        wish: _Wish,
        look: Look,
        now: datetime,
        keeping: Keeping,
        until: datetime,
    ) -> tuple[Answer, list[PreparedEntry]]:
        detail = Detail(
            reason=keeping.code,
            kept_for=keeping.purpose,
            law=keeping.law,
            until_at=until,
            **_describe(wish, look),
        )
        answer = Answer("kept", law=keeping.law, kept_until=until)
        return answer, [self._seal(conn, wish.chain, "kept", detail, now)]

    def _seal(  # noqa: PLR0917 - what an entry is made of
        self,
        conn: Connection,
        chain: ChainRef,
        event: Event,
        detail: Detail,
        now: datetime,
        core: bytes = b"",
    ) -> PreparedEntry:
        record = Record(
            v=1,
            event=event,
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="now",
            detail=detail,
        )
        draft = EntryDraft(
            chain=chain,
            core=core,
            payload=build_payload(record),
            at=now,
            retention_until=now + self._rooms.engine.retention,
        )
        subject_id, sealing = chain.subject_id, self._rooms.sealing
        keys = sealing.fetch_keys(conn, [subject_id], now)[subject_id]
        if keys.new_quarter_key_sealed is not None:
            # Inside the transaction that replaces keys: nobody else can have written this quarter.
            self._store.insert_quarter_key(
                conn, subject_id, keys.quarter, keys.new_quarter_key_sealed
            )
        return sealing.prepare_entry(keys, draft)


def _build_core(lines: Sequence[Line]) -> bytes:
    """Return the core that names the places of what ended, so that anyone can tell it from lost."""
    places = [
        (line.row.quarter, line.row.number)
        for line in lines
        if line.row.quarter is not None and line.row.number is not None
    ]
    return build_ended_core(places) if places else b""


def list_quarters(first: str, last: str) -> list[str]:
    """Return the quarters from `first` up to `last`, such as 2026Q4, in order."""
    found = [first]
    while found[-1] < last:
        year, number = int(found[-1][:4]), int(found[-1][5:])
        found.append(f"{year}Q{number + 1}" if number < _QUARTERS else f"{year + 1}Q1")
    return found


def _describe(wish: _Wish, look: Look) -> dict[str, Any]:
    """Return what every answer says: to which wish, about which card, by which roles, and why."""
    return {
        "answers": wish.number,
        "erases": wish.erases,
        "decider_role": f"{look.by.role}, {look.second.role}"[:200],
        "decided_because": look.reason.strip(),
    }
