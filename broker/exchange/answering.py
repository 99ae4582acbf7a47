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

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Organisation
from broker.audit.ports import LogStore
from broker.audit.told import ToldLines
from broker.consent.models import ErasureRow, ObjectionRow, QuestionRow, Reply, derive_answer_end
from broker.exchange.answering_lists import MOST_LISTED
from broker.exchange.answering_telling import VISIBLE, AnsweredAlreadyError, Telling
from broker.exchange.rooms import Rooms
from datwat.party.errors import PartyError
from datwat.protocol.own_affairs import ObjectionState

Outcome = Literal["upheld", "rejected"]


class ObjectionUnknownError(PartyError):
    """No objection under this number that can be answered."""

    code = "objection_unknown"
    default_detail = "Under this number no objection waits or was answered: look at the list."


class QuestionUnknownError(PartyError):
    """No question under this number that can be answered."""

    code = "question_unknown"
    default_detail = "Under this number no question waits or was answered: look at the list."


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


class Answering:
    """What an officer does about objections and questions."""

    def __init__(
        self, rooms: Rooms, store: LogStore, lines: ToldLines, party: Organisation
    ) -> None:
        """Keep the rooms; `party` is who answers: the broker, for its officer."""
        self._rooms = rooms
        self._store = store
        self._lines = lines
        self._telling = Telling(rooms, store, lines, party)

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
            entry = self._telling.find_entry(conn, number)
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
        await self._telling.tell(entry, said, reply, now, write)

    async def answer_question(self, number: int, reply: Reply) -> None:
        """Answer the question whose entry has this number.

        Raises QuestionUnknownError, AnsweredAlreadyError, LogError.
        """
        now, wishes = self._now(), self._rooms.registers.wishes
        with self._store.reading() as conn:
            entry = self._telling.find_entry(conn, number)
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

        await self._telling.tell(entry, Detail(), reply, now, write)

    def _find_number(
        self, conn: Connection, subject_id: bytes, row_id: bytes, at: datetime
    ) -> int | None:
        """Return the entry that tells of a row; None where none can be read (yet, or any more)."""
        found = self._lines.read_at(conn, subject_id, VISIBLE, {at})
        for line in found.lines:
            if row_id in line.ids:
                return line.index
        later = self._lines.read_all(conn, subject_id, VISIBLE, ("record_objection",), since=at)
        return next((line.index for line in later.lines if row_id in line.ids), None)

    def _find_erasure(self, conn: Connection, row: ErasureRow) -> int | None:
        """Return the entry of a wish for erasure; None where it cannot be read."""
        found = self._lines.read_at(conn, row.subject_id, VISIBLE, {row.asked_at})
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
