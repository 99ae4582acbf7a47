"""What waits for an officer: objections and questions, with the answer in words, and erasures.

Rules: an answer is an entry in the chain of what it answers, with the officer's role; each is
answered once; what waits for its opening, and what its person took back, is not here. An objection
that is rejected counts no more from that moment, one that is upheld counts on; the answer names the
remedy of the controller (AVG 21; UAVG 34-35: against a public body's decision an objection under
the Awb, else the court, both within six weeks). A wish for erasure is listed here; two answer it
(`erasure.py`).
Source: AVG 12(3)-(4); domain.md, point 9.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Organisation, Record, build_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job
from broker.audit.told import ToldLine, ToldLines
from broker.consent.models import ErasureRow, ObjectionRow, QuestionRow, Reply, derive_answer_end
from broker.exchange.opening import seal_draft
from broker.exchange.rooms import Rooms
from broker.pseudonyms.errors import RaceLost
from datwat.party.errors import PartyError
from datwat.protocol.own_affairs import ObjectionState

_VISIBLE: Final = ("open", "own")
MOST_LISTED: Final = 100
Outcome = Literal["upheld", "rejected"]


class ObjectionUnknownError(PartyError):
    """No objection under this number that can be answered."""

    code = "objection_unknown"
    default_detail = "Under this number no objection waits or was answered: look at the list."


class QuestionUnknownError(PartyError):
    """No question under this number that can be answered."""

    code = "question_unknown"
    default_detail = "Under this number no question waits or was answered: look at the list."


class AnsweredAlreadyError(PartyError):
    """Somebody answered it before; the resident has that answer."""

    code = "answered_already"
    default_detail = "It was answered before, and the resident has that answer."


@dataclass(frozen=True, slots=True)
class Waiting:
    """One that waits: its number, since when, until when an answer is due, and its words."""

    number: int
    since_at: datetime
    answer_by: datetime
    overdue: bool
    purpose: str | None
    to: str | None
    about: int | None
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The entry of what is answered, and what it says."""

    row: EntryRow = field(repr=False)
    line: ToldLine

    @property
    def subject_id(self) -> bytes:
        """Whose it is."""
        assert self.row.subject_id is not None  # noqa: S101 - found as an entry about a person
        return self.row.subject_id

    @property
    def chain(self) -> ChainRef:
        """The chain that it lies in, and its answer too."""
        return ChainRef(self.subject_id, "own" if self.row.audience == "own" else "open")


class Answering:
    """What an officer does about objections and questions."""

    def __init__(
        self, rooms: Rooms, store: LogStore, lines: ToldLines, party: Organisation
    ) -> None:
        """Keep the rooms; `party` is who answers: the broker, for its officer."""
        self._rooms = rooms
        self._store = store
        self._lines = lines
        self._party = party

    def list_objections(self) -> list[Waiting]:
        """Return the objections that wait, the oldest first, at most `MOST_LISTED`."""
        now, consents = self._now(), self._rooms.registers.consents
        found = []
        with self._store.reading() as conn:
            for row in consents.list_open_objections(conn, now, MOST_LISTED):
                made_at = row.waiting_since
                number = self._find_number(conn, row.subject_id, row.id, made_at)
                if number is not None:
                    found.append(_describe_objection(row, number, made_at, now))
        return found

    def list_questions(self) -> list[Waiting]:
        """Return the questions that wait, the oldest first, at most `MOST_LISTED`."""
        now, wishes = self._now(), self._rooms.registers.wishes
        found = []
        with self._store.reading() as conn:
            for row in wishes.list_open_questions(conn, now, MOST_LISTED):
                number = self._find_number(conn, row.subject_id, row.id, row.asked_at)
                if number is not None:
                    found.append(_describe_question(row, number, now))
        return found

    def list_erasures(self) -> list[Waiting]:
        """Return the wishes for erasure that wait, the oldest first, at most `MOST_LISTED`."""
        now, wishes = self._now(), self._rooms.registers.wishes
        found = []
        with self._store.reading() as conn:
            for row in wishes.list_erasures(conn, now, MOST_LISTED):
                number = self._find_erasure(conn, row)
                if number is not None:
                    found.append(_describe(number, row.asked_at, now, about=row.erases))
        return found

    def count_overdue(self) -> tuple[int, int, int]:
        """Return how many objections, questions and erasures wait longer than a month."""
        now, registers = self._now(), self._rooms.registers
        with self._store.reading() as conn:
            return (
                registers.consents.count_overdue_objections(conn, now),
                registers.wishes.count_overdue_questions(conn, now),
                registers.wishes.count_overdue_erasures(conn, now),
            )

    async def answer_objection(self, number: int, outcome: Outcome, reply: Reply) -> None:
        """Answer the objection whose entry has this number.

        Raises ObjectionUnknownError, AnsweredAlreadyError, LogError.
        """
        now, consents = self._now(), self._rooms.registers.consents
        with self._store.reading() as conn:
            entry = self._find_entry(conn, number)
            detail = entry.line.told.detail if entry else None
            if entry is None or detail is None or detail.objection_id is None:
                raise ObjectionUnknownError
            row = consents.find_objection(conn, entry.subject_id, detail.objection_id, now)
        if row is None or row.lifted_at is not None:
            raise ObjectionUnknownError
        if row.state != "open":
            raise AnsweredAlreadyError
        state: ObjectionState = outcome

        def write(conn: Connection) -> None:
            consents.answer_objection(conn, row, state, reply, now)

        said = Detail(objects_to=row.purpose, outcome=outcome, remedy=reply.remedy)
        await self._tell(entry, number, said, reply, now, write)

    async def answer_question(self, number: int, reply: Reply) -> None:
        """Answer the question whose entry has this number.

        Raises QuestionUnknownError, AnsweredAlreadyError, LogError.
        """
        now, wishes = self._now(), self._rooms.registers.wishes
        with self._store.reading() as conn:
            entry = self._find_entry(conn, number)
            detail = entry.line.told.detail if entry else None
            if entry is None or detail is None or detail.question_id is None:
                raise QuestionUnknownError
            row = wishes.find_question(conn, entry.subject_id, detail.question_id, now)
        if row is None:
            raise QuestionUnknownError
        if row.answered_at is not None:
            raise AnsweredAlreadyError

        def write(conn: Connection) -> None:
            wishes.answer_question(conn, row, reply, now)

        await self._tell(entry, number, Detail(), reply, now, write)

    async def _tell(  # noqa: PLR0917 - what an answer is made of
        self,
        entry: _Entry,
        number: int,
        said: Detail,
        reply: Reply,
        now: datetime,
        write: Callable[[Connection], None],
    ) -> None:
        """Write the answer and the entry that tells it, in one transaction."""
        detail = said.model_copy(
            update={"answers": number, "answer": reply.text, "decider_role": reply.by.role}
        )

        def work(conn: Connection) -> Sequence[Appendable]:
            write(conn)
            record = Record(
                v=1,
                event="answered",
                at=now,
                rid=os.urandom(16),
                requester=self._party,
                notice="now",
                detail=detail,
            )
            draft = EntryDraft(
                chain=entry.chain,
                core=b"",
                payload=build_payload(record),
                at=now,
                retention_until=now + self._rooms.engine.retention,
            )
            return [seal_draft(self._rooms, self._store, conn, draft)]

        try:
            await self._rooms.log.append(Job(work))
        except RaceLost:  # another officer was first, or its person took it back
            raise AnsweredAlreadyError from None

    def _find_entry(self, conn: Connection, number: int) -> _Entry | None:
        row = self._store.find_entry(conn, number) if number >= 0 else None
        if row is None or row.subject_id is None or row.audience not in _VISIBLE:
            return None
        found = self._lines.read_at(conn, row.subject_id, _VISIBLE, {row.at})
        line = next((line for line in found.lines if line.index == number), None)
        return _Entry(row, line) if line is not None else None

    def _find_number(
        self, conn: Connection, subject_id: bytes, row_id: bytes, at: datetime
    ) -> int | None:
        """Return the entry that tells of a row; None where none can be read (yet, or any more)."""
        found = self._lines.read_at(conn, subject_id, _VISIBLE, {at})
        for line in found.lines:
            if row_id in line.ids:
                return line.index
        later = self._lines.read_all(conn, subject_id, _VISIBLE, ("record_objection",), since=at)
        return next((line.index for line in later.lines if row_id in line.ids), None)

    def _find_erasure(self, conn: Connection, row: ErasureRow) -> int | None:
        """Return the entry of a wish for erasure; None where it cannot be read."""
        found = self._lines.read_at(conn, row.subject_id, _VISIBLE, {row.asked_at})
        for line in found.lines:
            detail = line.told.detail if line.told.event == "wish" else None
            if detail is not None and detail.erases == row.erases:
                return line.index
        return None

    def _now(self) -> datetime:
        return self._rooms.clock().replace(microsecond=0)


def _describe_objection(row: ObjectionRow, number: int, at: datetime, now: datetime) -> Waiting:
    return _describe(number, at, now, text=row.reason, purpose=row.purpose)


def _describe_question(row: QuestionRow, number: int, now: datetime) -> Waiting:
    return _describe(number, row.asked_at, now, text=row.text, to=row.to, about=row.about)


def _describe(
    number: int,
    at: datetime,
    now: datetime,
    *,
    text: str = "",
    purpose: str | None = None,
    to: str | None = None,
    about: int | None = None,
) -> Waiting:
    answer_by = derive_answer_end(at)
    return Waiting(
        number=number,
        since_at=at,
        answer_by=answer_by,
        overdue=answer_by <= now,
        purpose=purpose,
        to=to,
        about=about,
        text=text,
    )
