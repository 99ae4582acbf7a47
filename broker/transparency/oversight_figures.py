"""What the database counts for the review lists, and the windows that it counts in.

Rule: numbers, parties' ids and keyed numbers only; a row that waits for its opening or that is over
is in none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Connection

RECENT: Final = timedelta(days=7)
LATELY: Final = timedelta(days=28)
PAST: Final = timedelta(days=91)
QUESTIONS: Final = ("inquire", "release", "request_contact")
# With what a system only had weighed: it shows nothing, and yet somebody asked.
ASKING: Final = (*QUESTIONS, "weighed")
# A person whom so many ask about within `LATELY`, and colleagues of one organisation on one person.
SIDES_PARTNERS: Final = 5
SIDES_STAFF: Final = 9
COLLEAGUES: Final = 4
REPEATED: Final = 7


@dataclass(frozen=True, slots=True)
class Window:
    """Until when is counted, and from when: the last week, the last four, and the past."""

    now: datetime

    @property
    def recent_from(self) -> datetime:
        """The last week."""
        return self.now - RECENT

    @property
    def lately_from(self) -> datetime:
        """The last four weeks."""
        return self.now - LATELY

    @property
    def past_from(self) -> datetime:
        """The past that the last week is compared with: twelve weeks before it."""
        return self.now - PAST


@dataclass(frozen=True, slots=True)
class Tally:
    """One professional (None: the resident's own acts, at the portal), by number of persons.

    `recent` and `past` count questions of the last week and before it; the others those of the last
    four weeks; `wrong` reports of a wrong person, over all.
    """

    partner: str
    professional: int | None = field(repr=False)
    first_at: datetime
    recent: int
    past: int
    asked: int
    off_hours: int
    refused: int
    inquiries: int
    empty: int
    blind: int
    blocked: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Occasions:
    """Occasions that a professional opened and asked on: how many ended, and ended in nothing."""

    partner: str
    professional: int | None = field(repr=False)
    ended: int
    nothing: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """One professional who was refused about one person again and again."""

    partner: str
    professional: int | None = field(repr=False)
    subject: int = field(repr=False)
    count: int


@dataclass(frozen=True, slots=True)
class Sides:
    """One person whom many ask about."""

    subject: int = field(repr=False)
    partners: int
    staff: int
    count: int


@dataclass(frozen=True, slots=True)
class Colleagues:
    """One person whom many professionals of one organisation ask about."""

    partner: str
    subject: int = field(repr=False)
    staff: int
    count: int


@dataclass(frozen=True, slots=True)
class Quota:
    """A partner that sent more than its quota: how many messages, in how many hours."""

    partner: str
    count: int
    hours: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one list needs; what it does not need is empty."""

    window: Window
    tallies: tuple[Tally, ...] = ()
    occasions: tuple[Occasions, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    sides: tuple[Sides, ...] = ()
    colleagues: tuple[Colleagues, ...] = ()
    quotas: tuple[Quota, ...] = ()


class OversightCounts(Protocol):
    """Statements over the acts; each reads the whole window once."""

    def fetch_tallies(self, conn: Connection, window: Window) -> tuple[Tally, ...]:
        """Return what each professional did."""

    def fetch_occasions(self, conn: Connection, window: Window) -> tuple[Occasions, ...]:
        """Return what became of the occasions that each professional opened."""

    def fetch_repeated(self, conn: Connection, window: Window) -> tuple[Repeated, ...]:
        """Return who was refused `REPEATED` times about one person, or more often."""

    def fetch_sides(self, conn: Connection, window: Window) -> tuple[Sides, ...]:
        """Return the persons whom `SIDES_PARTNERS` or `SIDES_STAFF` ask about, or more."""

    def fetch_colleagues(self, conn: Connection, window: Window) -> tuple[Colleagues, ...]:
        """Return where `COLLEAGUES` of one organisation or more ask about one person."""

    def fetch_quotas(self, conn: Connection, window: Window) -> tuple[Quota, ...]:
        """Return which partners sent more than their quota."""
