"""What happened in a month, as numbers: what the public figures and each partner's own rest on.

Rules: a month is a calendar month in the Netherlands, and is given out when it is over and what was
asked at its end is written down; an act counts in the month from which it may be counted, so that a
month that was published does not change when something is opened later; a partner's own figures
hold only what it was told itself, never why a person's facts refused it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Connection

from broker.consent.working_days import HERE
from broker.transparency.oversight_figures import QUESTIONS
from datwat.party.errors import PartyError
from datwat.protocol.own_figures import OwnFigures, UseFigures

_FORM: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_DECEMBER: Final = 12
# What was asked in the last moments of a month is written down, or refused, by then.
SETTLED: Final = timedelta(minutes=10)
_WRITE_IT_SO: Final = "Write a month as year-month, such as 2026-10."
_NOT_OVER: Final = "That month is not over yet: figures are given of it ten minutes after its end."


class MonthError(PartyError):
    """Not a month, or one that is not over; its detail says which."""

    code = "month_unknown"
    default_detail = "Write a month that is over as year-month, such as 2026-10."


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in the Netherlands."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str, now: datetime) -> Month:
        """Return the month of `2026-10`; raise MonthError for anything that is not over yet."""
        month = cls.read(text)
        if month.until_at + SETTLED > now:
            raise MonthError(_NOT_OVER)
        return month

    @classmethod
    def read(cls, text: str) -> Month:
        """Return the month of `2026-10`, over or not; raise MonthError for any other text."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise MonthError(_WRITE_IT_SO)
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def before(cls, now: datetime) -> Month:
        """Return the last month that is over."""
        local = (now - SETTLED).astimezone(HERE)
        return cls(local.year, local.month).previous()

    def previous(self) -> Month:
        """Return the month before."""
        began = self.month == 1
        return Month(self.year - 1, _DECEMBER) if began else Month(self.year, self.month - 1)

    def following(self) -> Month:
        """Return the month after."""
        ended = self.month == _DECEMBER
        return Month(self.year + 1, 1) if ended else Month(self.year, self.month + 1)

    @property
    def from_at(self) -> datetime:
        """Its first moment, as aware UTC."""
        return datetime(self.year, self.month, 1, tzinfo=HERE).astimezone(UTC)

    @property
    def until_at(self) -> datetime:
        """The first moment after it, as aware UTC."""
        return self.following().from_at

    def __str__(self) -> str:
        """Return `2026-10`."""
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class ActCount:
    """How many persons were in acts of one kind."""

    partner: str
    source: str | None
    act: str
    purpose: str | None
    permit: bool
    is_stated: bool
    blade: str | None
    found_nothing: bool
    is_off_hours: bool
    result: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Closed:
    """How many occasions closed so."""

    reason: str | None
    goals: str | None
    plan_made: bool | None
    count: int


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month: acts, occasions opened by kind, households, closings, and days to an answer."""

    month: Month
    acts: tuple[ActCount, ...] = ()
    opened: tuple[tuple[str, int], ...] = ()
    households: int = 0
    closed: tuple[Closed, ...] = ()
    answer_days: tuple[int, ...] = ()


class MonthCounts(Protocol):
    """Statements over a month."""

    def fetch_month(self, conn: Connection, month: Month, now: datetime) -> MonthFigures:
        """Return what may be counted of a month."""


@dataclass(frozen=True, slots=True)
class UseRow:
    """One kind of use of one partner for one purpose: how many persons, and what it was told."""

    as_source: bool
    act: str
    purpose: str | None
    asked: int
    refused: int
    nobody: int
    off_hours: int


@dataclass(frozen=True, slots=True)
class PartnerUse:
    """One partner's own use of a month: what it asked, and what was asked of it as a source."""

    partner: str
    month: Month
    rows: tuple[UseRow, ...]


def build_use(figures: MonthFigures, partner: str) -> PartnerUse:
    """Return a partner's own use, by what it asked and what it was asked, and for which purpose."""
    mine = _sum_up((one for one in figures.acts if one.partner == partner), as_source=False)
    asked = (one for one in figures.acts if one.source == partner and one.act == "release")
    return PartnerUse(partner, figures.month, (*mine, *_sum_up(asked, as_source=True)))


def _sum_up(acts: Iterable[ActCount], *, as_source: bool) -> list[UseRow]:
    found: dict[tuple[str, str | None], list[int]] = {}
    for one in acts:
        if as_source and not one.permit:
            continue  # a source hears of a question only where data are asked of it
        row = found.setdefault((one.act, one.purpose), [0, 0, 0, 0])
        row[0] += one.count
        row[1] += one.count if _is_told_refused(one) else 0
        row[2] += one.count if _is_told_nobody(one) else 0
        row[3] += one.count if one.is_off_hours else 0
    keys = sorted(found, key=lambda key: (key[0], key[1] or ""))
    return [UseRow(as_source, act, purpose, *found[act, purpose]) for act, purpose in keys]


def _is_told_refused(one: ActCount) -> bool:
    """Tell whether the requester was told so: of an inquiry only where it stated why."""
    asked = one.result if one.act == "weighed" else one.act
    return not one.permit and (asked != "inquire" or not one.is_stated)


def _is_told_nobody(one: ActCount) -> bool:
    """Tell whether the answer was "nobody": the same for nobody, unknown, and not for you."""
    hidden = not one.permit and one.is_stated
    return one.act == "inquire" and (hidden or (one.permit and one.found_nothing))


def build_own_figures(found: PartnerUse, rid: bytes) -> OwnFigures:
    """Return a partner's own use as the answer to its message `rid`."""
    rows = build_use_figures(found)
    return OwnFigures(v=1, rid=rid, partner=found.partner, month=str(found.month), rows=rows)


def build_use_figures(found: PartnerUse) -> tuple[UseFigures, ...]:
    """Return the rows of a partner's own use as they travel."""
    return tuple(
        UseFigures(
            role="source" if row.as_source else "requester",
            act=row.act,
            purpose=row.purpose,
            asked=row.asked,
            refused=row.refused,
            nobody=row.nobody,
            off_hours=row.off_hours,
        )
        for row in found.rows
    )


def count_asking(acts: Iterable[ActCount], *, permit: bool) -> int:
    """Return how many questions were permitted, or refused."""
    return sum(one.count for one in acts if one.act in QUESTIONS and one.permit is permit)
