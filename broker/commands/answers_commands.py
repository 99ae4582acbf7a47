"""What officers do about the nine lists while the broker runs: count, list, show, answer, letter.

Rules: a named token says who acts, and the register of roles whether they may: a reviewer answers,
an auditor or data protection officer reads; whoever holds the home's own token names who answers.
Nothing here names a resident; a number is all there is of them.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from pydantic import Field

from broker.answers_wiring import build_answer_desk, build_answers_port
from broker.commands.officers import (
    OfficerCommands,
    SecondAsked,
    Who,
    read_asked,
)
from broker.exchange.answering_blocks import Language
from broker.exchange.answering_desk import OUTCOMES, Given
from broker.exchange.answering_lists import (
    LISTS,
    MOST_LISTED,
    Counts,
    Listed,
    ListName,
    filter_listed,
)
from broker.pages.answers_letter import build_letter
from broker.pages.answers_port import AnswersPort, build_params
from broker.purposes.roles import ANSWERERS, REVIEW_READERS
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.protocol.values import (
    Moment,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
    encode_bytes,
    encode_moment,
)

_MOST_BLOCKS = 40


class ListAsked(Value):
    """Which list, and what a filter leaves of it."""

    list: ListName
    partner: PartyId | None = None
    overdue: bool = False


class ItemAsked(Value):
    """One item of a list."""

    list: ListName
    number: ShortText


class LetterAsked(ItemAsked):
    """The letter of what was answered, in one language."""

    language: Language = "nl"


class AnswerGiven(ItemAsked, SecondAsked):
    """What is answered: the outcome, building blocks, own words, and who answers."""

    outcome: Slug
    controller: Literal["public", "other"] | None = None
    blocks: tuple[Slug, ...] = Field(default=(), max_length=_MOST_BLOCKS)
    language: Language = "nl"
    text: PlainText = ""
    until_at: Moment | None = None


def build_answers_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands about the lists; built without touching the broker."""
    find_port, officers = cache(lambda: build_answers_port(broker)), OfficerCommands(broker)

    async def answers_lists(_members: dict[str, Any], _who: Who) -> dict[str, Any]:
        counts = await asyncio.to_thread(find_port().desk.lists.count)
        return {"lists": [{"list": name, **_describe_counts(counts[name])} for name in LISTS]}

    async def answers_list(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked = read_asked(ListAsked, members)
        lists = find_port().desk.lists
        found = await asyncio.to_thread(lists.list_waiting, asked.list, asked.partner)
        kept = filter_listed(found, overdue=asked.overdue)
        return {"list": [describe_listed(one) for one in kept], "most": MOST_LISTED}

    async def answers_show(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked, port = read_asked(ItemAsked, members), find_port()
        one = await asyncio.to_thread(port.desk.lists.require_item, asked.list, asked.number)
        return _describe_whole(port, one)

    async def answers_answer(members: dict[str, Any], who: Who) -> dict[str, Any]:
        asked, port = read_asked(AnswerGiven, members), find_port()
        await officers.require_second(who, asked.second_by)
        one = await asyncio.to_thread(port.desk.lists.require_item, asked.list, asked.number)
        text = _compose(port, one, asked)
        came_of = await port.desk.answer(one.list, one.number, _build_given(asked, who, text))
        hard = port.find_hard_words(text, asked.language)
        return {"number": one.number, "text": text, "hard_words": hard, **came_of}

    async def answers_letter(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked, port = read_asked(LetterAsked, members), find_port()
        found = await asyncio.to_thread(port.desk.require_answered, asked.list, asked.number)
        if found.purpose is not None:
            found = replace(found, purpose=port.find_title(found.purpose, asked.language))
        letter = build_letter(found, port.blocks, asked.language, port.organisation)
        return {"pdf": encode_bytes(await port.press(letter))}

    return {
        "answers_lists": officers.build(answers_lists, REVIEW_READERS),
        "answers_list": officers.build(answers_list, REVIEW_READERS),
        "answers_show": officers.build(answers_show, REVIEW_READERS),
        "answers_answer": officers.build(answers_answer, ANSWERERS),
        "answers_letter": officers.build(answers_letter, REVIEW_READERS),
    }


def describe_listed(one: Listed) -> dict[str, Any]:
    """Return an item as commands tell it; without the resident's own words."""
    members = {
        "list": one.list,
        "number": one.number,
        "since_at": encode_moment(one.since_at),
        "due_at": encode_moment(one.due_at),
        "days_left": one.days_left,
        "overdue": one.overdue,
        "reminder": one.reminder,
        "partner": one.partner,
        "purpose": one.purpose,
        "about": one.about,
    }
    return {**{name: held for name, held in members.items() if held is not None}, **one.facts}


def _describe_whole(port: AnswersPort, one: Listed) -> dict[str, Any]:
    """Return an item with the resident's own words, and what can be answered."""
    offered = port.blocks.list_for(one.list, build_params(port, one, "nl"))
    blocks = [{"code": block.code, **block.texts} for block in offered]
    outcomes = list(OUTCOMES[one.list])
    return {**describe_listed(one), "text": one.text, "outcomes": outcomes, "blocks": blocks}


def count_answers(broker: Broker) -> dict[str, Any]:
    """Return the lines of `status` about the lists: how each stands, and its reminders.

    Special situations are left out: an operator does not learn that something waits (promise 5).
    """
    counts = build_answer_desk(broker).lists.count()
    return {name: _describe_counts(counts[name]) for name in LISTS if name != "special"}


def _describe_counts(counts: Counts) -> dict[str, int | bool]:
    return {
        "waiting": counts.waiting,
        "half_term": counts.half,
        "last_day": counts.end,
        "overdue": counts.overdue,
        "more": counts.more,
    }


def _compose(port: AnswersPort, one: Listed, asked: AnswerGiven) -> str:
    params = build_params(port, one, asked.language)
    return port.blocks.compose(one.list, asked.blocks, asked.language, params, asked.text)


def _build_given(asked: AnswerGiven, who: Who, text: str) -> Given:
    return Given(
        by=who.require_professional(),
        outcome=asked.outcome,
        text=text,
        controller=asked.controller,
        until_at=asked.until_at,
        second=asked.second,
    )
