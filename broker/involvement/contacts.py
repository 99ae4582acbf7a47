"""Contact requests: a relayed wish to be called, which reveals nothing to whoever asks.

Rules: towards the requester a request is only ever *sent*, and one that reaches nobody looks the
same; its source and the officer see seen, answered, overdue; it has an end. That nobody answered in
time becomes a fact. Source: protocol.md section 10 (overdue after 5 days, over after 30).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from sqlalchemy import Connection

from broker.involvement.notices import UnreadableRow
from broker.pseudonyms.reference_rows import Audience
from datwat.protocol.acts import Contact

DUE_AFTER = timedelta(days=5)
OVER_AFTER = timedelta(days=30)
State = Literal["sent", "seen", "answered"]
ShownState = Literal["sent", "seen", "answered", "overdue"]
_ORDER: tuple[State, ...] = ("sent", "seen", "answered")


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """A contact request. `relayed` is False where it reaches nobody: then it is only kept.

    `occasion_id` and `audience` are those of the entry about it: what follows on it is told no
    earlier, and to nobody else. `tries` counts how often its source did not take it.
    """

    id: bytes = field(repr=False)
    requester: str
    source: str
    subject_id: bytes = field(repr=False)
    relayed: bool = field(repr=False)
    asked_at: datetime
    due_at: datetime
    until_at: datetime
    call_back: Contact = field(repr=False)
    state: State = "sent"
    seen_at: datetime | None = None
    answered_at: datetime | None = None
    delivered_at: datetime | None = None
    occasion_id: bytes | None = field(default=None, repr=False)
    audience: Audience = "open"
    tries: int = 0


class ContactFacts(NamedTuple):
    """When this requester last asked about a person, and since when no answer has come."""

    asked_at: datetime | None
    unanswered_since: datetime | None


class AskedContact(NamedTuple):
    """As much of a request as its facts need."""

    asked_at: datetime
    answered: bool


def derive_contact_ends(now: datetime) -> tuple[datetime, datetime]:
    """Return when a request that is sent at `now` is overdue, and when it is over."""
    return now + DUE_AFTER, now + OVER_AFTER


def derive_shown_state(request: ContactRequest, now: datetime) -> ShownState:
    """Return what source and officer see of a request; never for the requester."""
    return "overdue" if request.state != "answered" and now >= request.due_at else request.state


def is_forward(present: State, stated: State) -> bool:
    """Tell whether a request goes on from `present` to `stated`: it never goes back."""
    return _ORDER.index(stated) > _ORDER.index(present)


def derive_contact_facts(requests: Iterable[AskedContact]) -> ContactFacts:
    """Return the facts of one requester's requests about one person, raw: dates, no verdict.

    `unanswered_since` is the moment of the earliest request after the last answered one.
    """
    asked_at: datetime | None = None
    unanswered_since: datetime | None = None
    for request in sorted(requests):
        asked_at = request.asked_at
        if request.answered:
            unanswered_since = None
        elif unanswered_since is None:
            unanswered_since = request.asked_at
    return ContactFacts(asked_at, unanswered_since)


class Contacts(Protocol):
    """Where contact requests lie. What is over at `now` is absent."""

    def add(self, conn: Connection, request: ContactRequest) -> None:
        """Add a request, relayed or not."""

    def find(self, conn: Connection, request_id: bytes, now: datetime) -> ContactRequest | None:
        """Return a request by its id."""

    def move(self, conn: Connection, request_id: bytes, state: State, now: datetime) -> bool:
        """Write that it was seen or answered; False where that is no step forward."""

    def contact_facts(
        self, conn: Connection, requester: str, subject_id: bytes, now: datetime
    ) -> ContactFacts:
        """Return when a requester asked about a person, and since when there is no answer."""

    def list_undelivered(
        self,
        conn: Connection,
        now: datetime,
        limit: int,
        unreadable: list[UnreadableRow] | None = None,
    ) -> list[ContactRequest]:
        """Return what is to be relayed to its source now, the longest due first.

        A row that does not open is added to `unreadable`; without it, raises RowMismatch.
        """

    def put_off(
        self, conn: Connection, request: ContactRequest | UnreadableRow, now: datetime
    ) -> None:
        """Write that it failed once more, and when it is tried again."""

    def end_relaying(self, conn: Connection, request_id: bytes) -> None:
        """Write that it reaches nobody after all; its requester sees no difference."""

    def mark_delivered(self, conn: Connection, request_id: bytes, now: datetime) -> None:
        """Write that the source has it."""

    def count_overdue(self, conn: Connection, now: datetime) -> int:
        """Return how many relayed requests nobody answered in time."""
