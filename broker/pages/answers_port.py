"""What the answer pages work with, beside the service itself: names, texts of codes, the press.

Rule: the broker fills it in one place (`pages_wiring.py`); a page asks for nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from broker.exchange.answering_blocks import Blocks, Language
from broker.exchange.answering_desk import AnswerDesk
from broker.exchange.answering_lists import Listed
from datwat.web.paper.parts import Document


@dataclass(frozen=True)
class AnswersPort:
    """The service, and how codes, purposes and partners are called.

    `say(code, language)` is the text of a code in the bundle in force, or the code itself where it
    has none; `find_title(purpose, language)` likewise; `name(party)` is a dash for who is not
    listed; `find_hard_words` warns of Dutch that is harder than B1; `press` makes a PDF/UA-1.
    """

    desk: AnswerDesk
    blocks: Blocks
    organisation: str
    say: Callable[[str, Language], str]
    find_title: Callable[[str, Language], str]
    name: Callable[[str], str]
    find_hard_words: Callable[[str, Language], list[str]]
    press: Callable[[Document], Awaitable[bytes]]


def build_params(port: AnswersPort, one: Listed, language: Language) -> dict[str, str]:
    """Return the names that building blocks may say of an item: its purpose, its organisation."""
    found = {}
    if one.purpose is not None:
        found["purpose"] = port.find_title(one.purpose, language)
    if one.partner is not None:
        found["partner"] = port.name(one.partner)
    return found
