"""Who is still to be told: the day that nears or is over, and what was told later and has opened.

Rule (domain.md 2, 10): without a question of the resident's own there is a day on which they are
told; what is shown here is what the connector itself holds, of the occasions that somebody
works on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.asked import ACTING, ASKING, build_sentence, list_own
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.own import Work, derive_path, read_work
from connectors.pages.staff import Staff
from datwat.web.site import Site, Visit

PATH: Final = "/to-tell"
_NEAR: Final = timedelta(days=14)
_FAR: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Untold:
    """Somebody who was not told yet; `place` is theirs in the household."""

    place: int
    called: str = field(repr=False)


@dataclass(frozen=True)
class ToTell:
    """An occasion on which somebody is to be told."""

    path: str
    number: str
    kind: str
    inform_by: datetime | None
    waits_until: datetime | None
    is_late: bool
    is_near: bool
    untold: tuple[Untold, ...]


@dataclass(frozen=True)
class Later:
    """What the resident reads later, or now that it opened."""

    at: datetime
    called: str = field(repr=False)
    sentence: str
    opened_at: datetime | None


class _ToTell:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show who is to be told."""
        words = await self._desk.find_words(visit)
        works = [
            await read_work(one, self._desk, words)
            for one in self._desk.list_occasions(visit.session.held, visit.now)
        ]
        found = [_view(work, words, visit.now) for work in works]
        waiting = [one for one in found if one.untold or one.is_late]
        later = await self._list_later(visit, words)
        context = {
            "occasions": sorted(waiting, key=lambda one: one.inform_by or _FAR),
            "opened": [one for one in later if one.opened_at is not None],
            "closed": [one for one in later if one.opened_at is None],
        }
        return visit.render("own_to_tell.html", context)

    async def _list_later(self, visit: Visit[Staff], words: Words) -> list[Later]:
        found = []
        for act in list_own(self._desk, visit, (*ASKING, *ACTING)):
            for one in act.persons:
                if one.notice == "later":
                    known = await self._desk.find_person(one.client) if one.client else None
                    sentence = build_sentence(self._desk, act, words)
                    called = known.called if known else ""
                    found.append(Later(act.at, called, sentence, one.opened_at))
        return found


def _view(work: Work, words: Words, now: datetime) -> ToTell:
    inform_by = work.inform_by
    return ToTell(
        path=derive_path(work.occasion.number),
        number=work.occasion.number,
        kind=words.name(work.occasion.kind),
        inform_by=inform_by,
        waits_until=work.waits_until,
        is_late=inform_by is not None and inform_by <= now,
        is_near=inform_by is not None and now < inform_by <= now + _NEAR,
        untold=tuple(
            Untold(mate.place, mate.called) for mate in work.mates if mate.told_at is None
        ),
    )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get(PATH, _ToTell(desk).show),)
