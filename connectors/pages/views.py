"""What the pages show of questions and answers, as plain values. Pure.

Rule: what came back is rendered as it came; no value here says more, or decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connectors.client.results import InquiryResult, ShownPointer
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.question import Question
from connectors.pages.staff import Staff
from datwat.protocol.acts import Contact, Motivation
from datwat.protocol.answers import Weighing
from datwat.protocol.messages import BLADES
from datwat.web.i18n import mark
from datwat.web.site import Visit
from datwat.web.ways import is_mail, is_phone

MOST_IN_PICTURE: Final = 12


@dataclass(frozen=True)
class Summary:
    """What a question rests on so far: for the top of each of its pages."""

    path: str
    purpose: str
    occasion: str
    persons: str


@dataclass(frozen=True)
class BladeView:
    """One blade of the knife: its question, whether all held, what did not, and the own reason."""

    name: str
    question: str
    is_met: bool
    findings: tuple[tuple[bool, str], ...]
    reason: str


@dataclass(frozen=True)
class WeighingView:
    """What was decided, and what can be done."""

    is_permitted: bool
    blades: tuple[BladeView, ...]
    remedies: tuple[str, ...]
    alternatives: tuple[str, ...]
    obligations: tuple[str, ...]


@dataclass(frozen=True)
class PointerView:
    """An involvement as a card; `place` is its number on the page of this question."""

    place: int
    name: str
    kind: str
    person: str
    contact: tuple[tuple[str, str], ...] = field(repr=False)
    since_at: datetime | None
    as_of: datetime | None
    asks: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class PersonView:
    """What an inquiry answered about one person."""

    person: str
    weighing: WeighingView
    pointers: tuple[PointerView, ...]
    entry: int | None
    is_told_later: bool


@dataclass(frozen=True)
class ScopeView:
    """What could be seen at all."""

    partners: int
    domains: str
    hidden: str
    as_of: datetime


def build_summary(question: Question, words: Words) -> Summary:
    """Return the head of a question's pages."""
    persons = ", ".join(person.called for person in question.persons)
    title = words.title(question.purpose)
    return Summary(question.path, title, question.occasion, persons)


def build_weighing(
    weighing: Weighing, words: Words, motivation: Motivation | None = None
) -> WeighingView:
    """Return what was decided: all five blades, in the order of the knife."""
    return WeighingView(
        is_permitted=weighing.permitted,
        blades=tuple(_build_blade(blade, weighing, words, motivation) for blade in BLADES),
        remedies=tuple(words.say(code) for code in weighing.remedies),
        alternatives=tuple(words.say(code) for code in weighing.alternatives),
        obligations=tuple(words.say(one.code, one.params) for one in weighing.obligations),
    )


def _build_blade(
    blade: str, weighing: Weighing, words: Words, motivation: Motivation | None
) -> BladeView:
    found = [one for one in weighing.findings if one.blade == blade]
    return BladeView(
        name=words.name(blade),
        question=words.say(f"question_{blade}"),
        is_met=all(one.satisfied for one in found),
        findings=tuple((one.satisfied, words.say(one.code, one.params)) for one in found),
        reason=getattr(motivation, blade) if motivation is not None else "",
    )


def build_persons(question: Question, desk: StaffDesk, words: Words) -> tuple[PersonView, ...]:
    """Return what was answered about each person of a question."""
    place = 0
    views = []
    for result in question.shown:
        person = question.find_person(result.client)
        called = person.called if person else result.client
        pointers = []
        for pointer in result.pointers:
            pointers.append(build_pointer(pointer, place, called, question, (desk, words)))
            place += 1
        views.append(
            PersonView(
                person=called,
                weighing=build_weighing(result.weighing, words),
                pointers=tuple(pointers),
                entry=result.entry.index if result.entry else None,
                is_told_later=result.entry is not None and result.entry.notice == "later",
            )
        )
    return tuple(views)


def build_pointer(
    pointer: ShownPointer, place: int, person: str, question: Question, by: tuple[StaffDesk, Words]
) -> PointerView:
    """Return one involvement as a card, with what this purpose lets ask of it."""
    desk, words = by
    domain = words.name(pointer.domain) if pointer.domain else ""
    edges = desk.list_edges(words.require_purpose(question.purpose), pointer.source)
    return PointerView(
        place=place,
        name=pointer.source_name or domain,
        kind=words.name(pointer.kind) if pointer.kind else domain,
        person=person,
        contact=build_contact(pointer.contact),
        since_at=pointer.since_at,
        as_of=pointer.as_of,
        asks=tuple((number, find_title(words, edge.product)) for number, edge in enumerate(edges)),
    )


def build_contact(contact: Contact) -> tuple[tuple[str, str], ...]:
    """Return the ways to reach somebody, each with its kind: text, phone or email."""
    who = ", ".join(filter(None, (contact.name, contact.role)))
    phone, email = contact.phone or "", contact.email or ""
    # What no telephone can dial, and no letter can go to, is text, whatever the member is called.
    kinds = ("phone" if is_phone(phone) else "text", "mail" if is_mail(email) else "text")
    ways = (("text", who), (kinds[0], phone), (kinds[1], email))
    return tuple(way for way in ways if way[1])


def build_scope(results: Iterable[InquiryResult], words: Words) -> ScopeView | None:
    """Return what the answers could see; the same for every person of one question."""
    first = next(iter(results), None)
    if first is None:
        return None
    scope = first.scope
    return ScopeView(
        partners=scope.partners_asked,
        domains=words.list(scope.domains),
        hidden=words.list(scope.cannot_see),
        as_of=scope.as_of,
    )


def find_title(words: Words, product: str) -> str:
    """Return what a data product is called."""
    found = words.bundle.view.products.get(product)
    return found.title.render(words.code) if found else product


def find_field(words: Words, product: str, path: str) -> str:
    """Return what a field of a product is called."""
    found = words.bundle.view.products.get(product)
    held = found.find_field(path) if found else None
    return held.title.render(words.code) if held else path


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder; `path` is empty where something must be chosen first."""

    name: str
    icon: str
    label: str
    hint: str
    path: str
    is_here: bool


_RUNGS: Final = (
    ("talk", "message"),
    ("contact", "phone"),
    ("category", "sitemap"),
    ("dat", "address-book"),
    ("wat", "file-text"),
    ("later", "clock"),
)
_SAID: Final = {
    "talk": (mark("Talk with the person"), mark("Nothing is shared. Often enough.")),
    "contact": (mark("Ask to be called"), mark("A message is passed on. You learn nothing.")),
    "category": (mark("Which kind of help"), mark("The kind of help, not who gives it.")),
    "dat": (mark("Who is involved"), mark("The organisation and whom you can call.")),
    "wat": (mark("Ask for data"), mark("A few data of one organisation. With your reasons.")),
    "later": (mark("Do it later"), mark("You ask nothing now.")),
}


def _find_path(question: Question | None, name: str) -> str:
    """Return where a rung leads, or nothing where something must be chosen first."""
    if question is None:
        return {"talk": "/talk", "later": "/"}.get(name, "")
    needs_persons = name not in ("talk", "later")
    if (needs_persons and not question.persons) or (name == "wat" and not question.list_pointers()):
        return ""
    return f"{question.path}/{name}"


def build_ladder(question: Question | None, here: str, visit: Visit[Staff]) -> tuple[Rung, ...]:
    """Return the ladder, least first, as it stands beside every step of a question."""
    rungs = []
    for name, icon in _RUNGS:
        label, hint = _SAID[name]
        path = _find_path(question, name)
        rungs.append(Rung(name, icon, visit.say(label), visit.say(hint), path, name == here))
    return tuple(rungs)
