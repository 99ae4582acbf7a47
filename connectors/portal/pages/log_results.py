"""What became of a question, in one word; and how the answers of a page add up. Pure.

Rule: what was refused counts as asked, and what nobody gave counts as not given: no card is left
out of the sum because nothing came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from datwat.protocol.access_log import AccessCard
from datwat.web.i18n import mark

Result = Literal["shared", "partly", "refused", "nothing", "contact", "recorded"]
# `weighed` asked what may be asked: nothing is ever given then.
QUESTIONS: Final = frozenset({"inquire", "release", "request_contact", "weighed"})
# The word on a card, and how it is drawn (macros/status.html).
WORDS: Final[dict[Result, tuple[str, str]]] = {
    "shared": ("shared", mark("Shared")),
    "partly": ("partly", mark("Partly shared")),
    "refused": ("refused", mark("Not shared")),
    "nothing": ("no", mark("Nothing shared")),
    "contact": ("info", mark("Only asked to get in touch")),
    "recorded": ("info", mark("Recorded")),
}
SHARED: Final[frozenset[Result]] = frozenset({"shared", "partly"})


@dataclass(frozen=True, slots=True)
class Sum:
    """How many organisations asked, and how many of them were given something."""

    asked: int
    given: int

    @property
    def refused(self) -> int:
        """How many were given nothing."""
        return self.asked - self.given


def find_result(card: AccessCard) -> Result:
    """Return what became of a question; of anything else, that it was recorded."""
    if card.event not in QUESTIONS:
        return "recorded"
    if not card.permitted:
        return "refused"
    if card.event == "request_contact":
        return "contact"
    if card.event == "inquire":
        return "shared" if card.pointers else "nothing"
    if not card.fields_given:
        return "nothing"
    return "shared" if set(card.fields_asked) <= set(card.fields_given) else "partly"


def add_up(cards: Sequence[AccessCard]) -> Sum:
    """Return the sum of the questions among these cards."""
    asked = {card.requester for card in cards if card.event in QUESTIONS}
    given = {card.requester for card in cards if find_result(card) in SHARED}
    return Sum(len(asked), len(given))
