"""What somebody is saying in this session: answers not sent yet, wishes under way, and receipts.

Rules: it lives in memory and ends with the session; each of it belongs to one of the two persons
that the session is about, and is nothing to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from connectors.client.outgoing import Sent
from datwat.protocol.freshness import RESUME_AGE
from datwat.web.sessions import make_room

Person = Literal["self", "represented"]
Kind = Literal[
    "consent",
    "withdrawn",
    "objection",
    "question",
    "block",
    "unblock",
    "shield",
    "unshield",
    "lift",
    "erasure",
]
_MOST: Final = 50
# Somewhat less than the broker's own, so that what is sent again is not too old on arrival.
_AGAIN: Final = RESUME_AGE - timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a wish stands in the log: what it was, its number there, and about whom or what.

    `name` is an organisation's, `purpose` the id of one, each "" where the wish names none; `about`
    is the number of the entry that it is about, if any.
    """

    kind: Kind
    number: int
    at: datetime
    name: str = ""
    purpose: str = ""
    until_at: datetime | None = None
    about: int | None = None


@dataclass(frozen=True)
class Page:
    """The page on which a form stands: where somebody is when the form is not done."""

    template: str
    context: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A wish that was sent and of which nobody knows whether it arrived."""

    sent: Sent = field(repr=False)
    receipt: Receipt
    page: Page
    at: datetime


class Said:
    """The answers, wishes and receipts of one session."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._drafts: dict[tuple[Person, str], Mapping[str, str]] = {}
        self._receipts: dict[tuple[Person, int], Receipt] = {}
        self._unanswered: dict[str, Unanswered] = {}

    def find_draft(self, who: Person, place: str) -> Mapping[str, str]:
        """Return what was answered so far at a place, by name; empty where nothing was."""
        return self._drafts.get((who, place), {})

    def keep_draft(self, who: Person, place: str, values: Mapping[str, str]) -> None:
        """Keep what was answered so far."""
        self._drafts[who, place] = dict(values)

    def drop_draft(self, who: Person, place: str) -> None:
        """Forget it: it was done, or is not meant any more."""
        self._drafts.pop((who, place), None)

    def find_receipt(self, who: Person, number: int) -> Receipt | None:
        """Return the receipt of a wish of this session."""
        return self._receipts.get((who, number))

    def keep_receipt(self, who: Person, receipt: Receipt) -> None:
        """Keep a receipt."""
        make_room(self._receipts, _MOST)
        self._receipts[who, receipt.number] = receipt

    def find_unanswered(self, form_id: str, now: datetime) -> Unanswered | None:
        """Return what was sent of this form, if the same bytes may still be sent again."""
        held = self._unanswered.get(form_id)
        return held if held is not None and now < held.at + _AGAIN else None

    def keep_unanswered(self, form_id: str, unanswered: Unanswered) -> None:
        """Remember a wish that is on its way."""
        make_room(self._unanswered, _MOST)
        self._unanswered[form_id] = unanswered

    def drop_unanswered(self, form_id: str) -> None:
        """Forget it: it was answered, or nothing of it was written down."""
        self._unanswered.pop(form_id, None)
