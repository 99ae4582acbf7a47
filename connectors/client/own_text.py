"""What somebody typed may not carry a citizen service number past the connector (promise 1).

Rule: whoever types a BSN into a reason, a conversation, a question or an objection is told so,
before anything is looked up or sent; the broker would keep it, sealed, and never needs it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from connectors.client.outgoing import Draft
from connectors.errors import NumberInTextError
from datwat.protocol.free_text import has_number

# The members in which a message of a partner holds what people typed freely.
TYPED: Final = frozenset(
    {
        "alternatives", "efficiency", "internal_reason", "proportionality", "purpose", "reason",
        "scope", "subsidiarity", "team", "text", "told", "transparency",
    }
)  # fmt: skip


def require_no_number(draft: Draft) -> None:
    """Raise NumberInTextError where a text or number of a message may be a BSN."""
    for part in (draft.statement, draft.extra, *(person.members for person in draft.persons)):
        for text in _list_texts(part):
            require_no_number_in(text)


def require_no_number_in(text: str) -> None:
    """Raise NumberInTextError where a text has a number that may be a BSN."""
    if has_number(text):
        raise NumberInTextError


def _list_texts(value: object) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        for name, held in value.items():
            if isinstance(held, str):
                if name in TYPED:
                    yield held
            else:
                yield from _list_texts(held)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)  # the number of an entry may be typed too
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _list_texts(held)
