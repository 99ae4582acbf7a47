"""What somebody can say, in one place, with how many of each there are; a part of the first page.

Rule: counts are of whose pages are shown, and in words: never a bare number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.consent_choices import is_in_force
from connectors.portal.pages.persons import find_whose
from connectors.portal.resident import Resident
from datwat.protocol.own_affairs import OwnWishes
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/wishes"


@dataclass(frozen=True, slots=True)
class Tile:
    """A way on: where to, what it is called, what it is for, and how it stands."""

    path: str
    title: str
    what: str
    count: str
    has_news: bool = False


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the route of this screen."""

    async def show(visit: Visit[Resident]) -> Response:
        wishes = await desk.fetch_wishes(visit.session.held.handle)
        context = {"tiles": build_tiles(visit, wishes), "whose": find_whose(visit)}
        return visit.render("wishes.html", context)

    return (site.get(PATH, show),)


def build_tiles(visit: Visit[Resident], wishes: OwnWishes) -> list[Tile]:
    """Return a tile for each thing that can be said, what came first."""
    given = sum(is_in_force(one, visit.now) for one in wishes.consents)
    return [
        _build_answered(
            visit,
            Tile(
                "/questions",
                visit.say(mark("Ask a question")),
                visit.say(mark("To an organisation, or to who watches over privacy.")),
                "",
            ),
            sum(one.state == "open" for one in wishes.questions),
            sum(one.answer is not None for one in wishes.questions),
        ),
        Tile(
            "/consents",
            visit.say(mark("Saying yes or no")),
            visit.say(mark("Some organisations may share only what you say yes to.")),
            _count(
                visit,
                given,
                mark("You have said yes to nothing now."),
                (mark("%(num)s yes holds now."), mark("%(num)s times yes holds now.")),
            ),
        ),
        _build_answered(
            visit,
            Tile(
                "/objections",
                visit.say(mark("Not agreeing")),
                visit.say(mark("Say that your data may not be used for something.")),
                "",
            ),
            sum(one.state == "open" for one in wishes.objections),
            sum(one.answer is not None for one in wishes.objections),
        ),
        Tile(
            "/blocks",
            visit.say(mark("Who may not look")),
            visit.say(mark("Name an organisation that may not ask about you.")),
            _count(
                visit,
                len(wishes.blocks),
                mark("You named nobody."),
                (mark("You named %(num)s organisation."), mark("You named %(num)s organisations.")),
            ),
        ),
        Tile(
            "/shield",
            visit.say(mark("Shielding")),
            visit.say(mark("Organisations then do not see where you get help.")),
            visit.say(mark("This is on.") if wishes.shield else mark("This is off.")),
        ),
    ]


def say_news(visit: Visit[Resident], wishes: OwnWishes) -> str:
    """Return how many questions and objections were answered, and how many wait; in words."""
    asked = [one.answer is not None for one in wishes.questions]
    asked += [one.answer is not None for one in wishes.objections]
    return _say_answered(visit, asked.count(False), asked.count(True))


def _build_answered(visit: Visit[Resident], tile: Tile, waiting: int, answered: int) -> Tile:
    """Return a tile of what gets an answer: what came, and what is still to come."""
    count = _say_answered(visit, waiting, answered)
    return Tile(tile.path, tile.title, tile.what, count, has_news=bool(answered))


def _say_answered(visit: Visit[Resident], waiting: int, answered: int) -> str:
    said = []
    if answered:
        texts = (mark("%(num)s answer came."), mark("%(num)s answers came."))
        said.append(_count(visit, answered, "", texts))
    if waiting or not answered:
        texts = (mark("%(num)s waits for an answer."), mark("%(num)s wait for an answer."))
        said.append(_count(visit, waiting, mark("Nothing waits for an answer."), texts))
    return " ".join(said)


def _count(visit: Visit[Resident], number: int, none: str, texts: tuple[str, str]) -> str:
    if number == 0:
        return visit.say(none)
    return visit.say(texts[0] if number == 1 else texts[1], num=number)
