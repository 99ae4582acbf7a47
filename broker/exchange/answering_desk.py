"""Everything that officers do about what residents said and are owed: lists, answers, letters.

Rules: pages and commands call this and nothing beside it; each list has the outcomes that fit it;
an answer takes effect in the transaction that writes it, in every process at once; wishes for
erasure and looking at what waits take two people. Source: AVG 12-14, 17, 21, 23; UAVG 34-35.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection

from broker.audit.payloads import Organisation
from broker.audit.ports import LogStore
from broker.audit.told import ToldLines
from broker.consent.duties import Duty
from broker.consent.models import ObjectionRow, QuestionRow
from broker.exchange.answering import Answering
from broker.exchange.answering_listing import AnswerLists, ItemUnknownError
from broker.exchange.answering_lists import DUTY_LISTS, Answered, ListName
from broker.exchange.answering_telling import Telling, build_reply, require_no_number
from broker.exchange.erasure import Erasures
from broker.exchange.kept import FindPurpose
from broker.exchange.looking import Look
from broker.exchange.opening import Openings
from broker.exchange.reviews import OUTCOMES as DUTY_OUTCOMES
from broker.exchange.reviews import Judgement, OutcomeUnfitError, Reviews
from broker.exchange.rooms import Rooms
from datwat.protocol.acts import Professional
from datwat.protocol.own_affairs import Remedy

Controller = Literal["public", "other"]
REMEDIES: Final[Mapping[Controller, Remedy]] = {"public": "administrative", "other": "court"}
_OF_DUTIES: Final = {name: DUTY_OUTCOMES[kind] for name, kind in DUTY_LISTS.items()}
OUTCOMES: Final[Mapping[ListName, tuple[str, ...]]] = {
    "objections": ("upheld", "rejected"),
    "questions": ("answered",),
    "special": ("open", "renew"),
    "erasures": ("decide",),
    **_OF_DUTIES,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What an officer gives as answer; `outcome` is one of `OUTCOMES` of the list.

    `controller`: whose decision an objection is about; `until_at`: the new end of a term; `second`:
    who does it together with `by`, where nobody does it alone.
    """

    by: Professional
    outcome: str
    text: str = field(default="", repr=False)
    controller: Controller | None = None
    until_at: datetime | None = None
    second: Professional | None = None


class ControllerMissingError(OutcomeUnfitError):
    """An answer to an objection that does not say whose decision it is."""

    code = "controller_missing"
    default_detail = "Say whose decision it is, public or other: the remedy depends on that."


class TermMissingError(OutcomeUnfitError):
    """A longer term without its end."""

    code = "term_missing"
    default_detail = "Say until when the term is to last."


class SecondMissingError(OutcomeUnfitError):
    """What two people do, asked by one."""

    code = "second_missing"
    default_detail = "Two people decide about an erasure: name the second one."


@dataclass(frozen=True, slots=True)
class AnswerDesk:
    """The service of officers; `build` puts it together."""

    rooms: Rooms
    store: LogStore
    lists: AnswerLists
    answering: Answering
    reviews: Reviews
    openings: Openings
    erasures: Erasures
    telling: Telling

    @classmethod
    def build(
        cls,
        rooms: Rooms,
        store: LogStore,
        lines: ToldLines,
        party: Organisation,
        *,
        openings: Openings,
        erasures: Erasures,
        find_purpose: FindPurpose,
    ) -> AnswerDesk:
        """Return the service for one broker; `party` is who answers."""
        telling = Telling(rooms, store, lines, party)
        answering = Answering(rooms, store, lines, party)
        lists = AnswerLists(rooms, store, answering, telling, openings, find_purpose)
        reviews = Reviews(rooms, store, telling)
        return cls(rooms, store, lists, answering, reviews, openings, erasures, telling)

    async def answer(self, name: ListName, number: str, given: Given) -> Mapping[str, str]:
        """Answer what waits under a number of a list; return what came of it, by codes.

        Raises OutcomeUnfitError and its kinds, ItemUnknownError, NumberInAnswerError,
        AnsweredAlreadyError, LogError, and what `Openings` and `Erasures` raise.
        """
        if given.outcome not in OUTCOMES[name]:
            allowed = ", ".join(OUTCOMES[name]) or "none: a recorded conversation ends it"
            raise OutcomeUnfitError(f"The outcomes of this list are: {allowed}.")
        require_no_number(given.text, given.by.role, given.second.role if given.second else "")
        if name in DUTY_LISTS:
            judgement = Judgement(given.outcome, given.by, given.text.strip())
            await self.reviews.settle(DUTY_LISTS[name], number, judgement)
            return {"outcome": given.outcome}
        if name == "special":
            return await self._decide_special(number, given)
        if name == "erasures":
            return await self._decide_erasure(number, given)
        if name == "questions":
            await self.answering.answer_question(
                _read_number(number), build_reply(given.by, given.text)
            )
            return {"outcome": given.outcome}
        return await self._answer_objection(number, given)

    async def _answer_objection(self, number: str, given: Given) -> Mapping[str, str]:
        if given.controller is None:
            raise ControllerMissingError
        remedy = REMEDIES[given.controller]
        outcome: Literal["upheld", "rejected"] = (
            "upheld" if given.outcome == "upheld" else "rejected"
        )
        told = build_reply(given.by, given.text, remedy)
        await self.answering.answer_objection(_read_number(number), outcome, told)
        return {"outcome": outcome, "remedy": remedy}

    async def _decide_special(self, number: str, given: Given) -> Mapping[str, str]:
        row = self.openings.require_waiting(number)
        if given.outcome == "open":
            opened = await self.openings.open(row, given.by)
            return {"outcome": "open", "opened": str(opened)}
        if given.until_at is None:
            raise TermMissingError
        await self.openings.renew(row, given.until_at, given.by, given.text)
        return {"outcome": "renew"}

    async def _decide_erasure(self, number: str, given: Given) -> Mapping[str, str]:
        if given.second is None:
            raise SecondMissingError
        look = Look(given.by, given.second, given.text)
        answer = await self.erasures.answer(_read_number(number), look)
        return {"outcome": answer.outcome, "contents": str(answer.contents)}

    def require_answered(self, name: ListName, number: str) -> Answered:
        """Return what was answered under a number, for a letter; raise ItemUnknownError.

        Blocking. Objections, questions, and the duties of which the person reads an outcome.
        """
        now = self.rooms.clock()
        if name in DUTY_LISTS:
            duty, entry = self.reviews.find(DUTY_LISTS[name], number)
            return _build_answered_duty(name, duty, entry.number if entry else None)
        if name not in {"objections", "questions"}:
            raise ItemUnknownError
        place = _read_number(number)
        with self.store.reading() as conn:
            row = self._find_said(conn, place, now)
        if row is None or row.reply is None or row.answered_at is None:
            raise ItemUnknownError
        objection = row if isinstance(row, ObjectionRow) else None
        return Answered(
            list="objections" if objection else "questions",
            number=place,
            since_at=row.waiting_since if isinstance(row, ObjectionRow) else row.asked_at,
            answered_at=row.answered_at,
            outcome=objection.state if objection else None,
            text=row.reply.text,
            role=row.reply.by.role,
            remedy=row.reply.remedy,
            purpose=objection.purpose if objection else None,
        )

    def _find_said(
        self, conn: Connection, place: int, now: datetime
    ) -> ObjectionRow | QuestionRow | None:
        entry = self.telling.find_entry(conn, place)
        detail = entry.line.told.detail if entry else None
        if entry is None or detail is None:
            return None
        registers = self.rooms.registers
        if detail.objection_id is not None:
            return registers.consents.find_objection(
                conn, entry.subject_id, detail.objection_id, now
            )
        if detail.question_id is not None:
            return registers.wishes.find_question(conn, entry.subject_id, detail.question_id, now)
        return None


def _build_answered_duty(name: ListName, duty: Duty, number: int | None) -> Answered:
    if duty.settled is None or duty.ended_at is None or not duty.settled.text:
        raise ItemUnknownError
    return Answered(
        list=name,
        number=number,
        since_at=duty.since_at,
        answered_at=duty.ended_at,
        outcome=duty.settled.outcome,
        text=duty.settled.text,
        role=duty.settled.role or "-",
        remedy=None,
        purpose=duty.purpose,
    )


def _read_number(number: str) -> int:
    """Return the number of an entry; raise ItemUnknownError for what is none."""
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**53))):
        raise ItemUnknownError
    return int(number)
