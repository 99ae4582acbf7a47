"""*Wie is bij mij betrokken?*: the list, the network picture, and the history of the help.

Rules: list first, picture second, each picture with the same in words; what a source shields is a
domain and a central number; what this page cannot know is said on it. Source: AVG 15.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from datwat.protocol.acts import Contact
from datwat.protocol.own_affairs import HowEnded, OwnInvolvement, OwnInvolvements, PastInvolvement
from datwat.web.dates import ZONE
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit
from datwat.web.ways import is_mail, is_phone

PATH: Final = "/involved"
# More of them make no picture that anybody can read; the list has them all.
MOST_DRAWN: Final = 12
MOST_BARS: Final = 16
MOST_ROWS: Final = 100
_FIXED_ROLES: Final = frozenset({"regisseur", "vaste contactpersoon", "coordinator"})
_SHIELDED: Final = mark("Only a central number")
_LEAST_WIDTH: Final = 1.5
_HOW: Final[dict[HowEnded, str]] = {
    "ended": mark("The help stopped"),
    "entered_in_error": mark("This was written down by mistake"),
    "superseded": mark("It was written down again"),
    "died": mark("The person died"),
    "moved": mark("Moved to another place"),
    "expired": mark("Not confirmed any more"),
    "wrong_person": mark("This was about somebody else"),
}


@dataclass(frozen=True, slots=True)
class Helper:
    """An organisation that is involved now, in words; what cannot be a link is empty there."""

    involvement: OwnInvolvement
    name: str
    kind: str
    contact: Contact
    is_central: bool
    is_fixed: bool
    dialled: str
    mailed: str


@dataclass(frozen=True, slots=True)
class Spell:
    """One stretch of help: a row of the history and a bar of its picture (shares of the width)."""

    name: str
    kind: str
    since: datetime
    is_known: bool
    until: datetime | None
    how: str
    told_in: int | None
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """The stretch of time that the picture shows, from left to right; what is said of no kind."""

    first: datetime
    last: datetime
    unknown: str = ""

    def find_share(self, moment: datetime) -> float:
        """Return where a moment lies, as a share (0 to 100) of the width."""
        whole = (self.last - self.first).total_seconds()
        share = (moment - self.first).total_seconds() / whole * 100 if whole > 0 else 0.0
        return round(min(max(share, 0.0), 100.0), 2)


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the route of this screen."""
    return (site.get(PATH, Involved(desk).show),)


class Involved:
    """Shows who is involved."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show who is involved now, and who was."""
        found = await self._desk.fetch_involvements(visit.held.handle)
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        helpers = [describe(one, words, visit.say(_SHIELDED)) for one in found.now]
        nodes = [(one.name, one.kind, one.is_fixed or not one.is_central) for one in helpers]
        spells = build_history(found, visit, words)
        context = {
            "found": found,
            "helpers": helpers,
            "nodes": nodes[:MOST_DRAWN],
            "spells": spells[:MOST_ROWS],
            "is_whole": found.is_whole and len(spells) <= MOST_ROWS,
            "bars": spells[:MOST_BARS],
            "first": find_first(found),
            "ticks": build_ticks(found),
            "whose": find_whose(visit),
        }
        return visit.render("involved.html", context)


def describe(one: OwnInvolvement, words: Words, unknown: str) -> Helper:
    """Return an involvement in words; `unknown` is said of what its source shields."""
    contact = one.contact
    phone, email = contact.phone or "", contact.email or ""
    return Helper(
        one,
        one.source_name or words.say_first(one.domain),
        words.say_first(one.kind) if one.kind else unknown,
        contact,
        is_central=one.source is None,
        is_fixed=contact.role.casefold() in _FIXED_ROLES,
        dialled=re.sub(r"[^+0-9]", "", phone) if is_phone(phone) else "",
        mailed=email if is_mail(email) else "",
    )


def build_history(found: OwnInvolvements, visit: Visit[Resident], words: Words) -> list[Spell]:
    """Return every stretch of help, the newest beginning first."""
    line = Line(find_first(found), found.as_of, visit.say(_SHIELDED))
    goes_on = visit.say(mark("Still going on"))
    spells = [_build_spell(one, None, goes_on, line, words) for one in found.now]
    spells += [
        _build_spell(one, one.ended_at, visit.say(_HOW[one.how]), line, words) for one in found.past
    ]
    return sorted(spells, key=lambda one: one.since, reverse=True)


def build_ticks(found: OwnInvolvements) -> list[tuple[float, str]]:
    """Return the years that begin in the history, as shares of the width; a few of them at most."""
    line = Line(find_first(found), found.as_of)
    years = range(line.first.astimezone(ZONE).year + 1, line.last.astimezone(ZONE).year + 1)
    step = max(1, -(-len(years) // 4))
    return [
        (line.find_share(datetime(year, 1, 1, tzinfo=ZONE)), str(year)) for year in years[::step]
    ]


def find_first(found: OwnInvolvements) -> datetime:
    """Return when the history begins."""
    begins = [_begin(one) for one in found.now] + [_begin(one) for one in found.past]
    return min(begins, default=found.as_of)


def _begin(one: OwnInvolvement | PastInvolvement) -> datetime:
    known = one.registered_at if isinstance(one, PastInvolvement) else one.as_of
    return one.since_at or known


def _build_spell(
    one: OwnInvolvement | PastInvolvement,
    until: datetime | None,
    how: str,
    line: Line,
    words: Words,
) -> Spell:
    since = _begin(one)
    x = line.find_share(since)
    end = line.find_share(until or line.last)
    return Spell(
        one.source_name or words.say_first(one.domain),
        words.say_first(one.kind) if one.kind else line.unknown,
        since,
        one.since_at is not None or isinstance(one, PastInvolvement),
        until,
        how,
        one.told_in if isinstance(one, PastInvolvement) else None,
        min(x, 100 - _LEAST_WIDTH),
        max(end - x, _LEAST_WIDTH),
    )
