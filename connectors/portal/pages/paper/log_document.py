"""One's own log on paper: what happened at a glance, then each entry in full. Pure.

Rule: it says what the cards say, in the signed texts; what was refused and what was withheld stand
beside what was given. Source: AVG 12, 15.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.portal.pages.entry_facts import build_facts
from connectors.portal.pages.entry_parts import read_asked
from connectors.portal.pages.laws import spell_out
from connectors.portal.pages.log_results import WORDS, add_up, find_result
from connectors.portal.pages.paper.framing import (
    Setting,
    build_document,
    build_help,
    build_not_here,
)
from connectors.portal.pages.paper.gathering import OwnLog
from datwat.protocol.access_log import AccessCard
from datwat.protocol.messages import BLADES
from datwat.web.dates import find_day
from datwat.web.i18n import mark
from datwat.web.paper.parts import Document, Fact, Part, Result, Shape, Sheet, Table

_SHAPES: Final[Mapping[str, Shape]] = {
    "shared": "shared",
    "partly": "shared",
    "refused": "refused",
    "nothing": "refused",
}
_ROOT_LINES: Final = 3


@dataclass(frozen=True)
class Taken:
    """What is printed: the cards that were chosen, out of which log, and whom to call.

    `contacts` are the organisations' own public contacts, by party id.
    """

    log: OwnLog
    cards: Sequence[AccessCard]
    contacts: Mapping[str, str]


def build_log_document(setting: Setting, taken: Taken) -> Document:
    """Return the document of some cards, newest first."""
    say, cards = setting.say, taken.cards
    parts = [build_not_here(setting)]
    if cards:
        parts.append(_build_overview(setting, cards))
        parts.append(Part(say(mark("All entries")), fresh=True))
        parts += _build_years(setting, taken)
    parts += [_build_check(setting, taken.log), build_help(setting)]
    return build_document(
        setting, say(mark("Who asked for my data?")), _build_numbers(setting, cards), parts
    )


def _build_numbers(setting: Setting, cards: Sequence[AccessCard]) -> list[str]:
    speech = setting.speech
    if not cards:
        return [setting.say(mark("There is no entry in this period."))]
    found = add_up(cards)
    period = speech.say_period(find_day(cards[-1].at), find_day(cards[0].at))
    count = len(cards)
    held = speech.ngettext("%(num)s entry: %(period)s.", "%(num)s entries: %(period)s.", count)
    asked = speech.ngettext(
        "%(num)s organisation asked for your data.",
        "%(num)s organisations asked for your data.",
        found.asked,
    )
    given = setting.say(
        mark("Given data: %(given)s. Given nothing: %(refused)s."),
        given=found.given,
        refused=found.refused,
    )
    sentences = [held % {"num": count, "period": period}]
    if found.asked:
        sentences.append(f"{asked % {'num': found.asked}} {given}")
    return sentences


def _build_overview(setting: Setting, cards: Sequence[AccessCard]) -> Part:
    say, words = setting.say, setting.words
    heads = [say(text) for text in _HEADS]
    rows = [
        (
            setting.speech.say_date(card.at),
            card.requester_name,
            words.say_first(card.event),
            build_result(setting, card),
            str(card.number),
        )
        for card in cards
    ]
    return Part(say(mark("At a glance")), table=Table(heads, rows, (0, 5, 4, 0, 0)))


_HEADS: Final = (
    mark("Date"), mark("Organisation"), mark("What"), mark("Result"), mark("Number"),
)  # fmt: skip


def _build_years(setting: Setting, taken: Taken) -> Iterator[Part]:
    years: dict[int, list[Sheet]] = {}
    for card in taken.cards:
        year = find_day(card.at).year
        years.setdefault(year, []).append(_build_sheet(setting, card, taken.contacts))
    for year, sheets in years.items():
        yield Part(str(year), cards=sheets, level=2)


def build_result(setting: Setting, card: AccessCard) -> Result:
    """Return what became of a card, as its page says it."""
    result = find_result(card)
    return Result(_SHAPES.get(result, "other"), setting.say(WORDS[result][1]))


def _build_sheet(setting: Setting, card: AccessCard, contacts: Mapping[str, str]) -> Sheet:
    say = setting.say
    moment = setting.speech.say_moment(card.at)
    return Sheet(
        meta=say(mark("%(moment)s · number %(number)s"), moment=moment, number=card.number),
        title=card.requester_name,
        lead=card.summary.render(setting.speech.code),
        result=build_result(setting, card),
        facts=[
            fact
            for fact in _list_facts(setting, card, contacts)
            if any(fact.paragraphs) or fact.items
        ],
    )


def _list_facts(setting: Setting, card: AccessCard, contacts: Mapping[str, str]) -> Iterator[Fact]:
    say, words = setting.say, setting.words
    product = str(read_asked(card).get("product") or "")
    yield _build_who(setting, card, contacts)
    yield _build_why(setting, card)
    shown = [f"{one.source_name}: {words.say(one.kind)}" for one in card.pointers]
    yield Fact(say(mark("Was shown")), items=shown)
    named = {*card.fields_given, *(one.field for one in card.withheld)}
    if not named >= set(card.fields_asked):  # else the two lists below say it
        asked = [words.field(product, path) for path in card.fields_asked]
        yield Fact(say(mark("Was asked")), items=asked)
    given = [words.field(product, path) for path in card.fields_given]
    yield Fact(say(mark("Shared")), items=given)
    withheld = [
        f"{words.field(product, one.field)}: {one.text.render(setting.speech.code)}"
        for one in card.withheld
    ]
    failure = [words.say(card.failure)] if card.failure else []
    yield Fact(say(mark("Not shared")), failure, withheld)
    yield _build_weighed(setting, card)
    if card.legal_basis is not None:
        basis = card.legal_basis
        articles = dict.fromkeys(map(spell_out, (basis.giver_article, basis.taker_article)))
        yield Fact(say(mark("Law")), [" · ".join(articles)])
    for name, value in build_facts(card, words, setting.speech):
        yield Fact(name, [value])
    if card.told_later_at is not None:
        told = setting.speech.say_date(card.told_later_at)
        yield Fact(
            say(mark("Told later")), [say(mark("You can see this since %(day)s."), day=told)]
        )


def _build_who(setting: Setting, card: AccessCard, contacts: Mapping[str, str]) -> Fact:
    lines = [card.requester_name + (f", {card.role}" if card.role else "")]
    contact = contacts.get(card.requester)
    if contact:
        lines.append(setting.say(mark("Contact: %(contact)s"), contact=contact))
    return Fact(setting.say(mark("Who")), lines)


def _build_why(setting: Setting, card: AccessCard) -> Fact:
    words = setting.words
    lines: list[str] = []
    if card.purpose:
        purpose = words.purpose(card.purpose)
        lines = [purpose[:1].upper() + purpose[1:], words.sentence(card.purpose)]
    reasons = [
        f"{words.say(f'question_{blade}')} {text}"
        for blade in BLADES
        if (text := getattr(card.motivation, blade, ""))
    ]
    return Fact(setting.say(mark("Why")), [line for line in lines if line], reasons)


def _build_weighed(setting: Setting, card: AccessCard) -> Fact:
    """Return whether the conditions were met, and each question of the knife that was not."""
    say, words = setting.say, setting.words
    name = say(mark("Was this allowed?"))
    if not card.findings:
        return Fact(name)
    failed: dict[str, list[str]] = {}
    for one in card.findings:
        if not one.satisfied:
            failed.setdefault(one.blade, []).append(one.text.render(setting.speech.code))
    if not failed:
        return Fact(name, [say(mark("Yes. It met all the conditions."))])
    items = [
        " ".join((words.say(f"question_{blade}"), say(mark("No.")), *failed[blade]))
        for blade in BLADES
        if blade in failed
    ]
    return Fact(name, [say(mark("No. It did not meet all the conditions."))], items)


def _build_check(setting: Setting, log: OwnLog) -> Part:
    """Return how this can be proved, with the state of the log that it was read at."""
    say = setting.say
    lines = log.checkpoint.split("\n")
    paragraphs = [
        say(mark("Paper proves nothing by itself. On the page you can download the proof.")),
        say(mark("With it you check that nothing was changed and nothing was left out.")),
    ]
    if len(lines) >= _ROOT_LINES:
        paragraphs.append(
            say(
                mark("State of the log: %(size)s entries, sum %(root)s."),
                size=lines[1],
                root=lines[2],
            )
        )
    return Part(say(mark("Check it yourself")), paragraphs)
