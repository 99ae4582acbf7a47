"""One page of somebody's log, read on from where it begins until it is full.

Rules: what is filtered is read through, never the whole log at once: after so many entries the page
says how far it came, and the next one goes on there; nothing is skipped between two pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.log_view import Filters, Start
from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import Page

CARDS: Final = 25
# With a filter: so many pages of a hundred are read at most before somebody gets an answer.
MOST_READS: Final = 5
_WHOLE: Final = 100


@dataclass(frozen=True)
class Shelf:
    """The cards of one page, newest first; where the next begins; how far a search came.

    `is_bounded` where the search stopped before the page was full; `looked_at` is how many entries
    were read for it and `back_to` the moment of the oldest of them.
    """

    cards: tuple[AccessCard, ...]
    following: Start | None
    looked_at: int
    back_to: datetime | None
    is_bounded: bool = False


async def read_shelf(desk: ResidentDesk, handle: bytes, filters: Filters, start: Start) -> Shelf:
    """Return the page that begins at `start`; raise as `ResidentDesk.fetch_access_log`."""
    if not filters:
        found = await desk.fetch_access_log(handle, Page(limit=CARDS, before=start.before))
        following = Start(found.next) if found.next else None
        return Shelf(found.cards, following, len(found.cards), _find_oldest(found.cards))
    return await _search(desk, handle, filters, start)


async def _search(desk: ResidentDesk, handle: bytes, filters: Filters, start: Start) -> Shelf:
    """Read on until the page is full, the log ends, or as much was read as is read at once."""
    fitting: list[AccessCard] = []
    before, skip, looked_at = start.before, start.skip, 0
    oldest: datetime | None = None
    for _ in range(MOST_READS):
        found = await desk.fetch_access_log(handle, Page(limit=_WHOLE, before=before))
        for place, card in enumerate(found.cards[skip:], start=skip):
            if filters.is_past(card):
                return Shelf(tuple(fitting), None, looked_at, oldest)
            if len(fitting) == CARDS:
                return Shelf(tuple(fitting), Start(before, place), looked_at, oldest)
            looked_at, oldest = looked_at + 1, card.told_later_at or card.at
            if filters.fits(card):
                fitting.append(card)
        if found.next is None:
            return Shelf(tuple(fitting), None, looked_at, oldest)
        before, skip = found.next, 0
    is_full = len(fitting) == CARDS
    return Shelf(tuple(fitting), Start(before), looked_at, oldest, is_bounded=not is_full)


def _find_oldest(cards: tuple[AccessCard, ...]) -> datetime | None:
    return min((card.at for card in cards), default=None)
