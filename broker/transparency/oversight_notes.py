"""What an officer types about a look or a finding, held against promise 1. Pure."""

from __future__ import annotations

from datwat.party.errors import PartyError
from datwat.protocol.free_text import has_number


class NumberInNoteError(PartyError):
    """A text has a number that may be a citizen service number."""

    code = "number_in_note"
    default_detail = (
        "The text has a number that may be a citizen service number: write it without. Name an "
        "entry by its own number."
    )


def require_no_number(text: str) -> None:
    """Raise NumberInNoteError where a text has a number that may be a BSN."""
    if has_number(text):
        raise NumberInNoteError
