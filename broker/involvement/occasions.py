"""Occasions: what questions rest on, who handles them, and the household each is about.

Rules: an occasion belongs to one partner and one team; a hand-over closes the dates of whoever no
longer handles it and rewrites nothing; closing ends the right to ask; every member is a person of
their own, and nothing about one depends on another. Source: AVG 5(1)(b)-(c); Jeugdwet 7.4.0;
Wmo 2015 5.1.1 (docs/reference/protocol.md section 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Connection

from broker.involvement.special_situations import SpecialSituationRow
from datwat.protocol.acts import AgeBand, CloseOccasion, Conversation, Handler, Identity

HandlerRow = Handler
OccasionKind = Literal["help_request", "report", "signal", "statutory_task", "crisis"]
# An occasion that nobody closes lapses; a closed one is kept, so that who cites it is told so.
LONGEST_OPEN = timedelta(days=5 * 365)
KEPT_CLOSED = timedelta(days=365)
MOST_HANDLERS = 100


@dataclass(frozen=True, slots=True)
class Occasion:
    """An occasion as its holder opened it, and what became of it; it lapses at `until_at`."""

    id: bytes = field(repr=False)
    holder: str
    kind: OccasionKind
    team: str = field(repr=False)
    opened_at: datetime
    until_at: datetime
    confidential: bool
    handlers: tuple[HandlerRow, ...] = field(repr=False)
    inform_by: datetime | None = None
    introduced_by: str | None = None
    closed_at: datetime | None = None
    closing: CloseOccasion | None = None
    special_situation: SpecialSituationRow | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """One person in an occasion's household, and the newest conversation with that person."""

    occasion_id: bytes = field(repr=False)
    subject_id: bytes = field(repr=False)
    role: str
    source: Literal["told", "register", "observed"]
    named_at: datetime
    told_at: datetime | None = None
    may_look_up: bool = False
    identity: Identity | None = None
    age_band: AgeBand | None = None
    conversation: Conversation | None = field(default=None, repr=False)


def derive_occasion_end(opened_at: datetime, closed_at: datetime | None) -> datetime:
    """Return when an occasion lapses: a year after closing, at the latest five after opening."""
    latest = opened_at + LONGEST_OPEN
    return latest if closed_at is None else min(latest, closed_at + KEPT_CLOSED)


def build_handed_over(
    present: Sequence[HandlerRow], stated: Sequence[HandlerRow], now: datetime
) -> tuple[HandlerRow, ...]:
    """Return the handlers after a hand-over at `now`: what has been stays, what was to come goes.

    Whoever handled it until now gets `now` as end; the newest hundred are kept.
    """
    past = [
        row
        if row.until_at is not None and row.until_at <= now
        else row.model_copy(update={"until_at": now})
        for row in present
        if row.from_at < now
    ]
    return tuple([*past, *stated][-MOST_HANDLERS:])


def build_closed(occasion: Occasion, closing: CloseOccasion, now: datetime) -> Occasion:
    """Return the occasion as it is closed at `now`: nobody handles it any more."""
    return replace(
        occasion,
        handlers=build_handed_over(occasion.handlers, (), now),
        closed_at=now,
        closing=closing,
        until_at=derive_occasion_end(occasion.opened_at, now),
    )


def choose_conversation(present: Conversation | None, stated: Conversation) -> Conversation:
    """Return the later of two conversations: one that is written up late replaces nothing newer."""
    return present if present is not None and present.at > stated.at else stated


class Occasions(Protocol):
    """Where occasions and their members lie. What has lapsed at `now` is absent."""

    def find_occasion(self, conn: Connection, occasion_id: bytes, now: datetime) -> Occasion | None:
        """Return an occasion, open or closed, with its special situation."""

    def find_member(
        self, conn: Connection, occasion_id: bytes, subject_id: bytes, now: datetime
    ) -> Member | None:
        """Return a person as member of an occasion, or None if not named in it."""

    def list_members(
        self, conn: Connection, occasion_id: bytes, now: datetime
    ) -> tuple[bytes, ...]:
        """Return the data subjects in an occasion, in one fixed order."""

    def list_open_with(
        self, conn: Connection, holder: str, subject_id: bytes, now: datetime
    ) -> Sequence[Occasion]:
        """Return the occasions of one partner that are not closed and name a person."""

    def open_occasion(
        self, conn: Connection, occasion: Occasion, members: Sequence[Member]
    ) -> None:
        """Add an occasion with its members and its special situation, if any."""

    def add_conversation(
        self, conn: Connection, occasion_id: bytes, subject_id: bytes, stated: Conversation
    ) -> None:
        """Record a conversation with a member; RaceLost where the person is no member any more."""

    def hand_over(
        self, conn: Connection, occasion_id: bytes, handlers: Sequence[HandlerRow], now: datetime
    ) -> None:
        """Replace who handles an open occasion; RaceLost where it was closed meanwhile."""

    def close_occasion(
        self, conn: Connection, occasion_id: bytes, closing: CloseOccasion, now: datetime
    ) -> None:
        """Close an open occasion; RaceLost where it was closed meanwhile."""

    def remove_member(self, conn: Connection, occasion_id: bytes, subject_id: bytes) -> None:
        """Take a wrong person out of an occasion."""
