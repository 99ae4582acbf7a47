"""The family's own copy on paper: who helps, who helped, and what the family writes itself. Pure.

Rule: it is theirs and has no end; what they typed for it is in the document and nowhere else. What
a source shields stays shielded: its domain only. Source: AVG 20; domain.md ("the resident's side").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.portal.pages.paper.framing import Setting, build_document, build_help
from datwat.protocol.acts import Contact
from datwat.protocol.own_affairs import OwnInvolvement, OwnInvolvements, PastInvolvement
from datwat.web.i18n import mark
from datwat.web.paper.parts import Document, Fact, Part, Sheet, Table

_PAST_HEADS: Final = (
    mark("Organisation"), mark("Kind of help"), mark("From"), mark("Until"), mark("How it ended"),
)  # fmt: skip
_ANNULLED: Final = "annulled"


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed for their copy; each may be empty."""

    for_whom: str = ""
    agreed: str = ""
    remarks: str = ""


def build_family_document(setting: Setting, found: OwnInvolvements, typed: Typed) -> Document:
    """Return the document."""
    say = setting.say
    parts = []
    for title, text in (
        (say(mark("What we agreed")), typed.agreed),
        (say(mark("In our own words")), typed.remarks),
    ):
        if text:
            parts.append(Part(title, split_paragraphs(text)))
    parts += [_build_now(setting, found.now), _build_past(setting, found)]
    parts += [_build_keeping(setting), build_help(setting)]
    numbers = [typed.for_whom] if typed.for_whom else []
    return build_document(setting, say(mark("Our own copy")), numbers, parts)


def split_paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text: an empty line parts them, a line break stays."""
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _build_now(setting: Setting, found: Sequence[OwnInvolvement]) -> Part:
    say = setting.say
    none = [] if found else [say(mark("No organisation is involved now, as far as you can see."))]
    sheets = [_build_sheet(setting, one) for one in found]
    return Part(say(mark("Who helps now")), none, cards=sheets)


def _build_sheet(setting: Setting, one: OwnInvolvement) -> Sheet:
    say, words = setting.say, setting.words
    since, until = (
        setting.speech.say_date(at) if at else "" for at in (one.since_at, one.until_at)
    )
    central = say(mark("General number: %(contact)s"), contact=one.central) if one.central else ""
    ways = (describe_contact(one.contact), central)
    facts = [
        Fact(say(mark("Kind of help")), [words.say_first(one.kind)] if one.kind else []),
        Fact(say(mark("Since")), [since] if since else []),
        Fact(say(mark("Contact")), [way for way in ways if way]),
        Fact(say(mark("Noted until")), [until] if until else []),
    ]
    return Sheet(
        meta=words.say_first(one.domain),
        title=one.source_name or say(mark("An organisation that is not named")),
        facts=[fact for fact in facts if fact.paragraphs],
    )


def describe_contact(contact: Contact) -> str:
    """Return how to reach somebody, in one line."""
    ways = (contact.name, contact.role, contact.phone, contact.email)
    return " · ".join(way for way in ways if way)


def _build_past(setting: Setting, found: OwnInvolvements) -> Part:
    say = setting.say
    title = say(mark("Who helped before"))
    if not found.past:
        return Part(title, [say(mark("Nothing is noted here."))])
    heads = [say(text) for text in _PAST_HEADS]
    rows = [_build_row(setting, one) for one in found.past]
    more = [] if found.is_whole else [say(mark("There is more, from before. Ask us for it."))]
    return Part(title, more, table=Table(heads, rows, (4, 4, 0, 0, 4)))


def _build_row(setting: Setting, one: PastInvolvement) -> tuple[str, ...]:
    words, say_date = setting.words, setting.speech.say_date
    how = _ANNULLED if one.how == "wrong_person" else one.how
    return (
        one.source_name or words.say_first(one.domain),
        words.say_first(one.kind) if one.kind else words.say_first(one.domain),
        say_date(one.since_at or one.registered_at),
        say_date(one.ended_at),
        words.say(f"reason_{how}"),
    )


def _build_keeping(setting: Setting) -> Part:
    say = setting.say
    return Part(
        say(mark("About this copy")),
        (
            say(mark("This copy is yours. It stays, also when the notes here have ended.")),
            say(mark("Your own words stand in this copy only. We did not keep them.")),
            say(mark("You decide who may read it.")),
        ),
    )
