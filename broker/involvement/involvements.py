"""Involvements: that a source is involved with a person, since when, and how to reach it (*dat*).

Rules: a person has at most one current involvement per source and kind; registering it again
reconfirms it; what is past its end is never shown, whether or not anybody cleaned it up; each ends
by its term, by its source, by annulment. Source: AVG 5(1)(d)-(e), 17; protocol.md section 10.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Connection

from datwat.protocol.acts import Contact, Registration

EndReason = Literal[
    "ended", "entered_in_error", "superseded", "died", "moved", "expired", "on_request"
]  # fmt: skip
Mark = Literal["died", "moved"]
# An ended row is kept as long as a contact request that may still be answered about it.
KEPT_ENDED = timedelta(days=30)
MOST_POINTERS = 500


@dataclass(frozen=True, slots=True)
class Involvement:
    """A pointer. `shielded` holds where the source *or* the resident says so.

    `confidential`: what is written of it goes into the person's own chain, as was decided.
    `mark`: another source reported the person's death or move, so its own must look.
    """

    id: bytes = field(repr=False)
    subject_id: bytes = field(repr=False)
    source: str
    function: str
    kind: str
    domain: str
    contact: Contact = field(repr=False)
    since_at: datetime
    registered_at: datetime
    reconfirmed_at: datetime
    expires_at: datetime
    shielded: bool = False
    confidential: bool = False
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    shielded_by_source: bool = False
    mark: Mark | None = None


def is_current(involvement: Involvement, now: datetime) -> bool:
    """Tell whether a pointer may be shown at all: neither ended nor past its term."""
    return involvement.ended_at is None and involvement.expires_at > now


def is_mere_reconfirmation(
    current: Involvement, stated: Registration, *, confidential: bool
) -> bool:
    """Tell whether a registration, with what was decided, changes nothing that a log must tell."""
    return (current.kind, current.shielded_by_source, current.confidential) == (
        stated.kind,
        stated.shielded,
        confidential,
    )


class Involvements(Protocol):
    """Where pointers lie."""

    def find_registered(
        self, conn: Connection, subject_id: bytes, source: str, kind: str, now: datetime
    ) -> Involvement | None:
        """Return the involvement of a source and kind with a person, or None.

        The current one; else, while it is kept, the newest that its term ended, cleaned up or not.
        """

    def find(self, conn: Connection, involvement_id: bytes, now: datetime) -> Involvement | None:
        """Return an involvement by its id, ended ones too while they are kept."""

    def pointers_of(
        self,
        conn: Connection,
        subject_id: bytes,
        functions: AbstractSet[str],
        kinds: AbstractSet[str],
        now: datetime,
    ) -> list[Involvement]:
        """Return the current involvements of these functions and kinds, the oldest first.

        Always one and the same statement, whatever is let through: it must cost alike for nobody.
        """

    def list_current(self, conn: Connection, subject_id: bytes, now: datetime) -> list[Involvement]:
        """Return every current involvement with a person, the oldest first: for themselves."""

    def list_current_of(
        self, conn: Connection, subject_id: bytes, source: str, now: datetime
    ) -> list[Involvement]:
        """Return everything that one source has registered of a person and that is current."""

    def add(self, conn: Connection, involvement: Involvement) -> None:
        """Add a pointer; RaceLost where the source has a current one of this kind already."""

    def reconfirm(
        self,
        conn: Connection,
        involvement_id: bytes,
        contact: Contact,
        expires_at: datetime,
        now: datetime,
        *,
        shielded: bool,
        confidential: bool,
    ) -> None:
        """Write what its source says again; RaceLost where it ended meanwhile.

        What is confidential stays so, whatever is said again.
        """

    def end(
        self, conn: Connection, involvement_id: bytes, reason: EndReason, now: datetime
    ) -> None:
        """End a pointer at once; RaceLost where it ended meanwhile."""

    def annul(self, conn: Connection, involvement_id: bytes) -> None:
        """Destroy a pointer to the wrong person: it never was one; RaceLost where it is gone."""

    def mark_others(self, conn: Connection, subject_id: bytes, source: str, mark: Mark) -> int:
        """Mark what other sources have of a person who died or moved; return how many those are."""

    def list_expired(self, conn: Connection, now: datetime, limit: int) -> list[bytes]:
        """Return the ids of pointers past their term that nobody ended yet, the earliest first."""
