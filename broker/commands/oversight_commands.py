"""What officers do about oversight while the broker runs: lists, looks, findings, figures.

Rules: a reviewer or auditor looks and records what was found, a data protection officer reads; a
look is written down before anything is shown; a note holds no citizen service number. Public
figures and the register name nobody.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from broker.commands.officers import OfficerCommands, SecondAsked, Who, read_asked
from broker.commands.oversight_views import (
    describe_draw,
    describe_finding,
    describe_indicators,
    describe_list,
    describe_looked,
    describe_use,
)
from broker.exchange.looking import EntryLook
from broker.policy.asked import NothingAsked
from broker.purposes.roles import LOOKERS, REVIEW_READERS
from broker.transparency.figures import Month
from broker.transparency.indicators import build_csv
from broker.transparency.oversight import ListCode
from broker.transparency.oversight_notes import require_no_number
from broker.transparency.oversight_words import Language, say_code
from broker.transparency.reviewing import SAMPLE_SIZE, FindingOutcome, FindingWords
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.protocol.acts import Professional
from datwat.protocol.values import (
    PartyId,
    PlainText,
    Value,
)


class ListAsked(Value):
    """Which list, and in which language it says why."""

    list: ListCode
    language: Language = "en"


class LookAsked(SecondAsked):
    """The entry that is looked at, why, and with whom where it waits."""

    number: int = Field(ge=0)
    reason: PlainText


class FindingAsked(Value):
    """What was found about a row of a list, and what came of it."""

    list: ListCode
    outcome: FindingOutcome
    note: PlainText = Field(min_length=1, repr=False)
    partner: PartyId | None = None
    who: str | None = Field(default=None, pattern=r"^[2-9A-HJ-NP-Z]{6}$")
    entries: tuple[int, ...] = Field(default=(), max_length=20)


class SampleAsked(Value):
    """How many entries are drawn."""

    count: int = Field(default=SAMPLE_SIZE, ge=1, le=1_000)


class MonthAsked(Value):
    """Which month; the last one that is over where none is named."""

    month: str | None = None
    partner: PartyId | None = None
    language: Language = "en"
    format: Literal["json", "csv"] = "json"


def build_oversight_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands of oversight; built without touching the broker."""
    return {**_build_reviews(broker), **_build_figures(broker)}


def _build_reviews(broker: Broker) -> dict[str, Command]:
    officers = OfficerCommands(broker)

    async def reviews_list(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked = read_asked(ListAsked, members)
        found = await broker.oversight.reviewing.refresh(asked.list)
        return describe_list(found, asked.language)

    async def reviews_look(members: dict[str, Any], who: Who) -> dict[str, Any]:
        asked = read_asked(LookAsked, members)
        require_no_number(asked.reason)
        await officers.require_second(who, asked.second_by, LOOKERS)
        look = EntryLook(by=who.require_professional(), reason=asked.reason, second=asked.second)
        return describe_looked(await broker.oversight.looks.record_entry(asked.number, look))

    async def reviews_find(members: dict[str, Any], who: Who) -> dict[str, Any]:
        asked, by = read_asked(FindingAsked, members), who.require_professional()
        require_no_number(asked.note)
        require_no_number(by.role)
        for number in asked.entries:
            broker.oversight.looks.require_entry(number)
        words = _build_words(asked, by)
        found = await broker.oversight.reviewing.add_finding(asked.list, asked.outcome, words)
        return describe_finding(found)

    async def reviews_findings(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        read_asked(NothingAsked, members)
        found = broker.oversight.reviewing.list_findings()
        return {"findings": [describe_finding(one) for one in found]}

    async def reviews_sample(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked = read_asked(SampleAsked, members)
        return describe_draw(await broker.oversight.reviewing.draw_sample(asked.count))

    return {
        "reviews_list": officers.build(reviews_list, REVIEW_READERS),
        "reviews_look": officers.build(reviews_look, LOOKERS),
        "reviews_find": officers.build(reviews_find, LOOKERS),
        "reviews_findings": officers.build(reviews_findings, REVIEW_READERS),
        "reviews_sample": officers.build(reviews_sample, LOOKERS),
    }


def _build_figures(broker: Broker) -> dict[str, Command]:
    officers = OfficerCommands(broker)

    async def indicators(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked = read_asked(MonthAsked, members)
        found = await broker.oversight.fetch_indicators(_find_month(broker, asked))
        if asked.format == "csv":
            return {"csv": build_csv(found, lambda code: say_code(code, asked.language))}
        return describe_indicators(found, asked.language)

    async def use(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        asked = read_asked(MonthAsked, members)
        month = _find_month(broker, asked)
        return describe_use(await broker.oversight.fetch_use(asked.partner or "", month))

    async def register(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        read_asked(NothingAsked, members)
        return broker.oversight.read_register().to_json()

    async def dpia(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        read_asked(NothingAsked, members)
        return broker.oversight.read_dpia().to_json()

    return {
        "indicators": officers.build(indicators, REVIEW_READERS),
        "partner_use": officers.build(use, REVIEW_READERS),
        "processing_register": officers.build(register, REVIEW_READERS),
        "dpia": officers.build(dpia, REVIEW_READERS),
    }


def _build_words(asked: FindingAsked, by: Professional) -> FindingWords:
    return FindingWords(
        by=by.id,
        role=by.role,
        partner=asked.partner,
        who=asked.who,
        entries=asked.entries,
        note=asked.note,
    )


def _find_month(broker: Broker, asked: MonthAsked) -> Month:
    now = broker.rooms.clock()
    return Month.before(now) if asked.month is None else Month.parse(asked.month, now)
