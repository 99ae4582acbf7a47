"""What a card of the log shows in a list: date, organisation, reason, result; repeats as one. Pure.

Rules: there is always a reason in plain words (of the signed bundle, else the card's own sentence);
what a partner wrote is text and nothing else; only neighbours are taken together, so that the order
of the log stays. Source: reference of the sentences: `datwat.protocol.card_sentences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from connectors.portal.pages.entry_parts import read_asked
from connectors.portal.pages.log_results import QUESTIONS, WORDS, Result, find_result
from connectors.portal.pages.words import Words
from datwat.protocol.access_log import AccessCard
from datwat.web.i18n import Speech, mark

_APART: Final = 8.0
_ASKED: Final = {
    "inquire": mark("This organisation asked who is involved with you."),
    "release": mark("This organisation asked %(source)s for data about you."),
    "request_contact": mark("This organisation asked %(source)s to get in touch with you."),
    "weighed": mark("This organisation had it checked what it may ask about you."),
}


@dataclass(frozen=True)
class Row:
    """One card in a list; `kind` is how its result is drawn, `later` why it is seen only now."""

    number: int
    at: datetime
    organisation: str
    requester: str
    sentence: str
    reason: str
    result: Result
    kind: str
    word: str
    later: str

    @property
    def is_question(self) -> bool:
        """Whether somebody asked for something."""
        return self.result != "recorded"


@dataclass(frozen=True)
class Group:
    """Neighbours that say the same, newest first; mostly one."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        """The newest."""
        return self.rows[0]

    @property
    def since(self) -> datetime:
        """The moment of the oldest."""
        return min(row.at for row in self.rows)

    @property
    def until(self) -> datetime:
        """The moment of the newest."""
        return max(row.at for row in self.rows)


def build_row(card: AccessCard, words: Words, speech: Speech) -> Row:
    """Return what a list shows of a card."""
    result = find_result(card)
    kind, word = WORDS[result]
    return Row(
        number=card.number,
        at=card.at,
        organisation=card.requester_name,
        requester=card.requester,
        sentence=build_sentence(card, speech),
        reason=build_reason(card, words) if card.event in QUESTIONS else "",
        result=result,
        kind=kind,
        word=speech.say(word),
        later=build_later(card, words, speech),
    )


def build_sentence(card: AccessCard, speech: Speech) -> str:
    """Return what was done, in a sentence that needs no name of who did it."""
    own = _ASKED.get(card.event)
    if own is None:
        return card.summary.render(speech.code)
    return speech.say(own, source=find_source(card) or speech.say(mark("another organisation")))


def build_reason(card: AccessCard, words: Words) -> str:
    """Return why, in a sentence of the signed bundle; its title, or its code, where it has none."""
    purpose = card.purpose or ""
    return words.sentence(purpose) or words.purpose(purpose)


def build_later(card: AccessCard, words: Words, speech: Speech) -> str:
    """Return why a card is seen only now; nothing where it was seen at once."""
    if card.told_later_at is None:
        return ""
    ground = card.details.get("ground")
    if not isinstance(ground, str):
        return speech.say(mark("You see this only now."))
    return speech.say(
        mark("You see this only now, because of %(ground)s."), ground=words.say(ground)
    )


def find_source(card: AccessCard) -> str:
    """Return the name of the organisation that was asked, as the entry has it."""
    return str((read_asked(card).get("source") or {}).get("name") or "")


def group_rows(rows: Sequence[Row]) -> list[Group]:
    """Return the rows with neighbours that say the same taken together, in their order."""

    def say(row: Row) -> tuple[str, ...]:
        return (row.requester, row.organisation, row.sentence, row.reason, row.word, row.later)

    return [Group(tuple(group)) for _, group in groupby(rows, key=say)]


def build_points(rows: Sequence[Row], speech: Speech) -> list[tuple[float, str, str]]:
    """Return the questions for the picture, oldest first: the place in %, how drawn, and words."""
    asked = sorted((row for row in rows if row.is_question), key=lambda row: row.at)
    if not asked:
        return []
    begin, length = asked[0].at, (asked[-1].at - asked[0].at).total_seconds()
    steps = max(len(asked) - 1, 1)
    places = spread(
        [
            (row.at - begin).total_seconds() / length * 100 if length else 100 * number / steps
            for number, row in enumerate(asked)
        ]
    )
    return [
        (
            place,
            "shared" if row.kind in ("shared", "partly") else "refused",
            f"{speech.say_date(row.at)}: {row.organisation}. {row.word}.",
        )
        for place, row in zip(places, asked, strict=True)
    ]


def spread(places: Sequence[float]) -> list[float]:
    """Return rising places between 0 and 100 moved no further than it takes to tell them apart."""
    apart = min(_APART, 100 / (len(places) - 1)) if len(places) > 1 else 0.0
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + apart) if moved else place)
    limit = 100.0
    for number in range(len(moved) - 1, -1, -1):
        moved[number] = min(moved[number], limit)
        limit = moved[number] - apart
    return [round(max(place, 0.0), 1) for place in moved]
