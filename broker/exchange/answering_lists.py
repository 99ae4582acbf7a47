"""The lists of what waits for an officer: one form for all nine, what is overdue first.

Rules: an item has a term; its days left, whether it is overdue and which reminder it has follow
from the clock alone, so that none is ever missed; what waits for its opening is in no list and no
count but that of the special situations themselves (promise 5); a list names nobody. Source: AVG
12(3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from broker.consent.duties import DutyKind
from datwat.protocol.own_affairs import Remedy

ListName = Literal[
    "objections", "questions", "disputes", "wrong_person", "special", "urgent", "desk",
    "erasures", "tell",
]  # fmt: skip
LISTS: Final[tuple[ListName, ...]] = get_args(ListName)
DUTY_LISTS: Final[Mapping[ListName, DutyKind]] = {
    "disputes": "dispute",
    "wrong_person": "wrong_person",
    "urgent": "urgent",
    "desk": "desk",
    "tell": "tell",
}
MOST_LISTED: Final = 100
Reminder = Literal["none", "half", "end"]
_LAST: Final = timedelta(days=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Listed:
    """One that waits; `facts` are codes and names by what they say, `text` a person's own words."""

    list: ListName
    number: str
    since_at: datetime
    due_at: datetime
    days_left: int
    overdue: bool
    reminder: Reminder
    partner: str | None = None
    purpose: str | None = None
    about: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered, as a letter tells it; `number` is the entry, None where it is gone."""

    list: ListName
    number: int | None
    since_at: datetime
    answered_at: datetime
    outcome: str | None
    text: str = field(repr=False)
    role: str
    remedy: Remedy | None
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many wait, at half term, at its end, and beyond it; `more`: the list is full."""

    waiting: int
    half: int
    end: int
    overdue: int
    more: bool = False


def derive_reminder(since_at: datetime, due_at: datetime, now: datetime) -> Reminder:
    """Return which reminder an item has: of half its term, of its end (the last day), or none."""
    term = due_at - since_at
    if now >= due_at - min(_LAST, term / 4):
        return "end"
    return "half" if now >= since_at + term / 2 else "none"


def derive_days_left(due_at: datetime, now: datetime) -> int:
    """Return how many whole days are left; below zero, how many have begun since it was due."""
    return (due_at - now) // _DAY


def build_listed(  # noqa: PLR0913 - what an item is made of
    name: ListName,
    number: str,
    since_at: datetime,
    due_at: datetime,
    now: datetime,
    *,
    partner: str | None = None,
    purpose: str | None = None,
    about: int | None = None,
    facts: Mapping[str, str | None] | None = None,
    text: str = "",
) -> Listed:
    """Return an item as it stands at `now`; facts without a value are left out."""
    return Listed(
        list=name,
        number=number,
        since_at=since_at,
        due_at=due_at,
        days_left=derive_days_left(due_at, now),
        overdue=due_at <= now,
        reminder=derive_reminder(since_at, due_at, now),
        partner=partner,
        purpose=purpose,
        about=about,
        facts={key: value for key, value in (facts or {}).items() if value},
        text=text,
    )


def sort_listed(found: Iterable[Listed]) -> list[Listed]:
    """Return items with the most overdue first: the earliest due, then the longest waiting."""
    return sorted(found, key=lambda one: (one.due_at, one.since_at, one.number))


def count_listed(found: Sequence[Listed]) -> Counts:
    """Return how a list stands."""
    return Counts(
        waiting=len(found),
        half=sum(one.reminder == "half" for one in found),
        end=sum(one.reminder == "end" and not one.overdue for one in found),
        overdue=sum(one.overdue for one in found),
        more=len(found) >= MOST_LISTED,
    )


def filter_listed(
    found: Iterable[Listed],
    *,
    overdue: bool = False,
    keep: Callable[[Listed], bool] = lambda _one: True,
) -> list[Listed]:
    """Return the items that a filter leaves."""
    return [one for one in found if (one.overdue or not overdue) and keep(one)]
