"""All that one person may have of themselves, read at one moment: log, involvements, wishes.

Rule: the log is read page by page, each proved before it counts, and no more of it than a bound; a
file says whether it is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from connectors.portal.desk import ResidentDesk
from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import Page
from datwat.protocol.own_affairs import OwnInvolvements, OwnWishes
from datwat.web.dates import find_day

MOST_CARDS: Final = 10_000
MOST_IN_DOCUMENT: Final = 500
_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Period:
    """The days that somebody wants, both counted, as in the Netherlands; None has no bound."""

    since: date | None = None
    until: date | None = None

    def holds(self, card: AccessCard) -> bool:
        """Tell whether a card is of these days."""
        day = find_day(card.at)
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )


@dataclass(frozen=True, slots=True)
class OwnLog:
    """The cards of a log, newest first; `checkpoint` is the note under which the last page lay.

    `is_whole` is false where there are more than `MOST_CARDS`.
    """

    cards: tuple[AccessCard, ...] = field(repr=False)
    checkpoint: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Affairs:
    """Log, involvements and wishes of one person."""

    log: OwnLog
    involvements: OwnInvolvements
    wishes: OwnWishes


async def fetch_log(desk: ResidentDesk, handle: bytes) -> OwnLog:
    """Return somebody's log, every page of it proved; raise as `fetch_access_log`."""
    cards: list[AccessCard] = []
    before: str | None = None
    while True:
        found = await desk.fetch_access_log(handle, Page(limit=_LIMIT, before=before))
        cards += found.cards
        before = found.next
        if before is None or len(cards) >= MOST_CARDS:
            return OwnLog(tuple(cards[:MOST_CARDS]), found.checkpoint, before is None)


async def fetch_affairs(desk: ResidentDesk, handle: bytes) -> Affairs:
    """Return all of one person; raise as the methods of the desk."""
    return Affairs(
        await fetch_log(desk, handle),
        await desk.fetch_involvements(handle),
        await desk.fetch_wishes(handle),
    )


def split_days(
    cards: Sequence[AccessCard], most: int = MOST_IN_DOCUMENT
) -> list[tuple[date, date, int]]:
    """Return periods that each fit one document, newest first: first day, last day, how many cards.

    A single day with more than `most` is a period of its own all the same.
    """
    days: dict[date, int] = {}
    for card in cards:
        day = find_day(card.at)
        days[day] = days.get(day, 0) + 1
    found: list[tuple[date, date, int]] = []
    held: list[date] = []
    count = 0
    for day in sorted(days, reverse=True):
        if held and count + days[day] > most:
            found.append((held[-1], held[0], count))
            held, count = [], 0
        held.append(day)
        count += days[day]
    if held:
        found.append((held[-1], held[0], count))
    return found
