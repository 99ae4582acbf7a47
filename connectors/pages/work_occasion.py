"""The open occasions of somebody's own, and the page of one: household, team, what can be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, Words
from connectors.pages.own import (
    Mate,
    build_head,
    derive_path,
    read_work,
    require_occasion,
)
from connectors.pages.staff import Staff
from datwat.protocol.acts import Handler
from datwat.web.site import Site, Visit


@dataclass(frozen=True)
class Row:
    """An occasion in the list."""

    path: str
    number: str
    kind: str
    team: str
    role: str
    members: tuple[str, ...] = field(repr=False)
    opened_at: datetime


@dataclass(frozen=True)
class Worker:
    """Somebody of the team."""

    id: str
    role: str
    from_at: datetime
    until_at: datetime | None
    is_self: bool
    is_over: bool


@dataclass(frozen=True)
class Spoken:
    """A conversation as it was recorded."""

    at: datetime
    told: str
    alternatives: str
    reaction: str


@dataclass(frozen=True)
class MateView:
    """Somebody of the household, as a card."""

    place: int
    called: str = field(repr=False)
    role: str
    told_at: datetime | None
    reaction: str
    spoken: tuple[Spoken, ...] = field(repr=False)


class _Work:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show_all(self, visit: Visit[Staff]) -> Response:
        """Show the own open occasions."""
        words = await self._desk.find_words(visit)
        rows = [
            Row(
                path=derive_path(one.number),
                number=one.number,
                kind=words.name(one.kind),
                team=one.team,
                role=words.say(one.role),
                members=tuple(
                    [(await self._desk.find_person(number)).called for number in one.members]
                ),
                opened_at=one.opened_at,
            )
            for one in self._desk.list_occasions(visit.session.held, visit.now)
        ]
        return visit.render("own_occasions.html", {"rows": rows})

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show one."""
        occasion = require_occasion(visit, self._desk)
        words = await self._desk.find_words(visit)
        work = await read_work(occasion, self._desk, words)
        context = {
            "head": build_head(occasion, words),
            "is_crisis": occasion.kind == "crisis",
            "role": words.say(occasion.role),
            "opened_at": occasion.opened_at,
            "inform_by": work.inform_by,
            "waits_until": work.waits_until,
            "is_late": work.inform_by is not None and work.inform_by <= visit.now,
            "mates": [build_mate(mate, words) for mate in work.mates],
            "team": [build_worker(one, words, visit) for one in occasion.handlers],
        }
        return visit.render("own_occasion.html", context)


def build_mate(mate: Mate, words: Words) -> MateView:
    """Return a member of the household with what was told."""
    spoken = tuple(
        Spoken(one.at, one.told, one.alternatives, words.say(f"reaction_{one.reaction}"))
        for one in mate.conversations
    )
    return MateView(mate.place, mate.called, mate.role, mate.told_at, mate.reaction, spoken)


def build_worker(handler: Handler, words: Words, visit: Visit[Staff]) -> Worker:
    """Return somebody of the team."""
    return Worker(
        id=handler.professional,
        role=words.name(handler.role),
        from_at=handler.from_at,
        until_at=handler.until_at,
        is_self=handler.professional == visit.session.held.professional.id,
        is_over=handler.until_at is not None and handler.until_at <= visit.now,
    )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    screen = _Work(desk)
    return (site.get("/own", screen.show_all), site.get("/own/{occasion}", screen.show))
