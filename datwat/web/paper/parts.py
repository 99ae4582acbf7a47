"""What a document is made of, before it has a form: parts, cards, facts, a table. Pure.

Rule: texts only, in one language, with the signs that the press has; `document.typ` decides how it
looks and nothing about what it says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from datwat.web.paper.signs import BOX, clean_text

Shape = Literal["shared", "refused", "other"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of something: how it is drawn, and the word beside it."""

    kind: Shape
    word: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a card says: its name, sentences, and a list."""

    name: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One card; `meta` is the line above its title, `lead` the sentence under it."""

    meta: str
    title: str
    lead: str = ""
    result: Result | None = None
    facts: Sequence[Fact] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `widths` are shares of the room left, 0 for as wide as needed."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str | Result]]
    widths: Sequence[int]


@dataclass(frozen=True, slots=True)
class Part:
    """One heading and what stands under it; `fresh` begins a page."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    after: Sequence[str] = ()
    table: Table | None = None
    cards: Sequence[Sheet] = ()
    level: int = 1
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `numbers` are the sentences that it begins with, `page` … `of` foot it."""

    lang: str
    title: str
    author: str
    made: str
    footer: str
    page: str
    of: str
    numbers: Sequence[str]
    parts: Sequence[Part]


def encode_document(document: Document) -> bytes:
    """Return the document as the press reads it: JSON with printable texts only."""
    return orjson.dumps(_clean(dataclasses.asdict(document)))


def _clean(value: Any, name: str = "") -> Any:  # noqa: ANN401 - plain JSON, of any shape
    match value:
        case str():
            cleaned = clean_text(value)
            # A heading without a word would cost the whole document (PDF/UA).
            return cleaned if name != "title" or cleaned.strip() else BOX
        case dict():
            return {name: _clean(held, name) for name, held in value.items()}
        case list() | tuple():
            return [_clean(held) for held in value]
    return value
