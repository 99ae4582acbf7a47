"""What an officer does about what residents said, while the broker runs: list and answer.

Rule: nothing here names a person; who answers says in which role, which the resident reads.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal, TypeVar

from pydantic import Field

from broker.audit.payloads import Organisation
from broker.audit.told import ToldLines
from broker.commands.answers_commands import build_answers_commands, count_answers
from broker.commands.officers import OfficerCommands, Who
from broker.consent.models import Reply
from broker.exchange.answering import Answering, Waiting
from broker.exchange.answering_desk import REMEDIES
from broker.exchange.answering_lists import MOST_LISTED
from broker.purposes.roles import ANSWERERS, REVIEW_READERS
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.party.problems import read_members
from datwat.protocol.acts import Professional
from datwat.protocol.own_affairs import Remedy
from datwat.protocol.values import (
    PlainText,
    ShortText,
    StaffId,
    Value,
    derive_staff_id,
    encode_moment,
)


class AnswerAsked(Value):
    """Who answers what lies at this index of the log, in which role, and what."""

    number: int = Field(ge=0, lt=2**53)
    by: StaffId
    role: ShortText
    text: PlainText = Field(min_length=10)


class ObjectionAnswerAsked(AnswerAsked):
    """How an objection is decided, and whose decision it is: the remedy depends on that."""

    outcome: Literal["upheld", "rejected"]
    controller: Literal["public", "other"]


AskedT = TypeVar("AskedT", bound=AnswerAsked)


def build_answering(broker: Broker) -> Answering:
    """Return what answers for this broker."""
    party = Organisation(id=broker.settings.id, name=broker.settings.name)
    return Answering(broker.rooms, broker.store, ToldLines(broker.store, broker.sealing), party)


def build_said_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands about objections, questions, and what waits to be erased."""
    officers = OfficerCommands(broker)

    async def objections_list(_members: dict[str, Any], _who: Who) -> dict[str, Any]:
        waiting = await asyncio.to_thread(build_answering(broker).list_objections)
        return {"objections": [_describe_objection(one) for one in waiting], "most": MOST_LISTED}

    async def questions_list(_members: dict[str, Any], _who: Who) -> dict[str, Any]:
        waiting = await asyncio.to_thread(build_answering(broker).list_questions)
        return {"questions": [_describe_question(one) for one in waiting], "most": MOST_LISTED}

    async def erasures_list(_members: dict[str, Any], _who: Who) -> dict[str, Any]:
        waiting = await asyncio.to_thread(build_answering(broker).list_erasures)
        found = [{**_describe(one), "erases": one.about} for one in waiting]
        return {"erasures": found, "most": MOST_LISTED}

    async def objections_answer(members: dict[str, Any], who: Who) -> dict[str, Any]:
        asked = _read(ObjectionAnswerAsked, {**members, "by": who.staff, "role": who.role})
        remedy = REMEDIES[asked.controller]
        reply = _build_reply(asked, remedy)
        await build_answering(broker).answer_objection(asked.number, asked.outcome, reply)
        return {"number": asked.number, "outcome": asked.outcome, "remedy": remedy}

    async def questions_answer(members: dict[str, Any], who: Who) -> dict[str, Any]:
        asked = _read(AnswerAsked, {**members, "by": who.staff, "role": who.role})
        await build_answering(broker).answer_question(asked.number, _build_reply(asked, None))
        return {"number": asked.number, "answered": True}

    return {
        "objections_list": officers.build(objections_list, REVIEW_READERS),
        "objections_answer": officers.build(objections_answer, ANSWERERS),
        "questions_list": officers.build(questions_list, REVIEW_READERS),
        "questions_answer": officers.build(questions_answer, ANSWERERS),
        "erasures_list": officers.build(erasures_list, REVIEW_READERS),
        **build_answers_commands(broker),
    }


def count_overdue(broker: Broker) -> dict[str, Any]:
    """Return the lines of `status` about what waits, each list with its reminders."""
    objections, questions, erasures = build_answering(broker).count_overdue()
    return {
        "objections_overdue": objections,
        "questions_overdue": questions,
        "erasures_overdue": erasures,
        "answers": count_answers(broker),
    }


def _read(model: type[AskedT], members: dict[str, Any]) -> AskedT:
    """Return what is asked; raise InputInvalidError where a member is wrong."""
    named = {"by": derive_staff_id(str(members.get("by")))}
    return read_members(model, {**members, **named})


def _build_reply(asked: AnswerAsked, remedy: Remedy | None) -> Reply:
    by = Professional(id=asked.by, role=asked.role)
    return Reply(by=by, text=asked.text.strip(), remedy=remedy)


def _describe_objection(one: Waiting) -> dict[str, Any]:
    return {**_describe(one), "purpose": one.purpose, "reason": one.text}


def _describe_question(one: Waiting) -> dict[str, Any]:
    return {**_describe(one), "to": one.to, "about": one.about, "question": one.text}


def _describe(one: Waiting) -> dict[str, Any]:
    return {
        "number": one.number,
        "since_at": encode_moment(one.since_at),
        "answer_by": encode_moment(one.answer_by),
        "overdue": one.overdue,
    }
