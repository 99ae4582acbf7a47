"""What the pages of oversight show, as plain values in the language of who is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from broker.exchange.reading_entry import LookedEntry
from broker.pages.code_names import CodeNames
from broker.pages.officer import Officer
from broker.pages.oversight_port import OversightPort
from broker.purposes.models import Product
from broker.purposes.naming import choose
from broker.transparency.oversight import ListCode, ReviewRow
from broker.transparency.oversight_words import Language, say_code, say_list, say_why
from broker.transparency.reviewing import Finding, FindingOutcome, ReviewList
from datwat.web.i18n import mark
from datwat.web.site import Visit

OUTCOMES: Final[tuple[FindingOutcome, ...]] = get_args(FindingOutcome)


@dataclass(frozen=True)
class CardView:
    """One list among the others: how many rows it had, and when."""

    code: str
    title: str
    about: str
    count: int | None
    at: datetime | None


@dataclass(frozen=True)
class RowView:
    """One row of a list."""

    whom: str
    why: str
    entries: tuple[int, ...]


@dataclass(frozen=True)
class LookedView:
    """An entry that is looked at: facts, blades, and what was written."""

    number: int
    facts: list[tuple[str, str]]
    findings: list[list[str]]
    texts: list[tuple[str, str]]


@dataclass(frozen=True)
class FindingView:
    """One finding."""

    at: datetime
    list: str
    outcome: str
    about: str
    role: str
    note: str
    until_at: datetime


def read_language(visit: Visit[Officer]) -> Language:
    """Return the language of the words of oversight for who is there."""
    return "nl" if visit.speech.code == "nl" else "en"


def build_card(visit: Visit[Officer], code: ListCode, found: ReviewList | None) -> CardView:
    """Return a list as one card."""
    title, about = say_list(code, read_language(visit))
    if found is None:
        return CardView(code, title, about, None, None)
    return CardView(code, title, about, len(found.rows), found.at)


def build_row(visit: Visit[Officer], port: OversightPort, row: ReviewRow) -> RowView:
    """Return a row: whom it is about as far as a list says, and why it is there."""
    named = [port.name(row.partner)] if row.partner else []
    if row.who:
        named.append(f"{visit.say(mark('professional'))} {row.who}")
    whom = ", ".join(named) or visit.say(
        mark("A chosen entry") if row.list == "sample" else mark("One resident")
    )
    return RowView(whom, say_why(row.why, read_language(visit)), row.entries)


def build_finding(visit: Visit[Officer], port: OversightPort, one: Finding) -> FindingView:
    """Return a finding, without who found it: the role is enough here."""
    language, words = read_language(visit), one.words
    named = [port.name(words.partner)] if words.partner else []
    named += [words.who] if words.who else []
    named += [visit.say(mark("entry %(number)s"), number=number) for number in words.entries]
    return FindingView(
        at=one.found_at,
        list=say_list(one.review, language)[0],
        outcome=say_code(one.outcome, language),
        about=", ".join(named),
        role=words.role,
        note=words.note,
        until_at=one.until_at,
    )


def build_looked(
    visit: Visit[Officer],
    port: OversightPort,
    one: LookedEntry,
    products: Mapping[str, Product],
    names: CodeNames,
) -> LookedView:
    """Return an entry as who looks at it reads it, what was not met first.

    `products` name its fields, `names` its conditions.
    """
    language = read_language(visit)
    facts = [
        (visit.say(mark("When")), visit.speech.say_moment(one.at)),
        (visit.say(mark("What")), port.say(one.act, language)),
        (visit.say(mark("Who asked")), port.name(one.partner)),
        (visit.say(mark("Professional")), f"{one.staff or '-'}, {one.role or '-'}"),
        (visit.say(mark("Purpose")), port.say(one.purpose, language) if one.purpose else "-"),
        (visit.say(mark("Occasion")), say_code(one.occasion, language) if one.occasion else "-"),
        (
            visit.say(mark("Decision")),
            visit.say(mark("Permitted") if one.permit else mark("Refused")),
        ),
    ]
    if one.source:
        facts.append((visit.say(mark("Asked from")), port.name(one.source)))
    if one.fields_asked:
        held = products.get(one.product or "")
        titles = {each.field: choose(each.title, language) for each in held.fields} if held else {}
        for name, fields in (
            (visit.say(mark("Fields asked")), one.fields_asked),
            (visit.say(mark("Fields permitted")), one.fields_given),
        ):
            facts.append((name, ", ".join(titles.get(each, each) for each in fields) or "–"))
    if one.shown:
        facts.append((visit.say(mark("Shown")), ", ".join(port.name(each) for each in one.shown)))
    met = {True: visit.say(mark("Met")), False: visit.say(mark("Not met"))}
    texts = [(names.code(name), text) for name, text in one.motivation.items()]
    if one.internal_reason:
        texts.append((visit.say(mark("Internal reason")), one.internal_reason))
    if one.special_reason:
        texts.append((visit.say(mark("Why the resident is told later")), one.special_reason))
    return LookedView(
        number=one.number,
        facts=facts,
        findings=[
            [names.code(each.code), names.code(each.blade), met[each.satisfied]]
            for each in sorted(one.findings, key=lambda each: each.satisfied)
        ],
        texts=texts,
    )
