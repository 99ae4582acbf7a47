"""What somebody can say, in one place, with how many of each there are; a part of the first page.

Rule: counts are of whose pages are shown, and in words: never a bare number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.consent_choices import is_in_force
from connectors.portal.pages.persons import find_whose
from connectors.portal.resident import Resident
from datwat.protocol.own_affairs import OwnObjection, OwnQuestion, OwnWishes
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/wishes"
# Where to, what it is called, and what it is for; what came first, first.
_TILES: Final = (
    (
        "/questions",
        mark("Ask a question"),
        mark("To an organisation, or to who watches over privacy."),
    ),
    (
        "/consents",
        mark("Saying yes or no"),
        mark("Some organisations may share only what you say yes to."),
    ),
    (
        "/objections",
        mark("Not agreeing"),
        mark("Say that your data may not be used for something."),
    ),
    ("/blocks", mark("Who may not look"), mark("Name an organisation that may not ask about you.")),
    ("/shield", mark("Shielding"), mark("Organisations then do not see where you get help.")),
)


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
        wishes = await desk.fetch_wishes(visit.held.handle)
        context = {"tiles": build_tiles(visit, wishes), "whose": find_whose(visit)}
        return visit.render("wishes.html", context)

    return (site.get(PATH, show),)


def build_tiles(visit: Visit[Resident], wishes: OwnWishes) -> list[Tile]:
    """Return a tile for each thing that can be said, with how it stands."""
    given = sum(is_in_force(one, visit.now) for one in wishes.consents)
    yeses = (mark("%(num)s yes holds now."), mark("%(num)s times yes holds now."))
    named = (mark("You named %(num)s organisation."), mark("You named %(num)s organisations."))
    counts = {
        "/questions": _say_answered(visit, wishes.questions),
        "/consents": _count(visit, given, mark("You have said yes to nothing now."), yeses),
        "/objections": _say_answered(visit, wishes.objections),
        "/blocks": _count(visit, len(wishes.blocks), mark("You named nobody."), named),
        "/shield": visit.say(mark("This is on.") if wishes.shield else mark("This is off.")),
    }
    answered: dict[str, Sequence[OwnQuestion | OwnObjection]] = {
        "/questions": wishes.questions,
        "/objections": wishes.objections,
    }
    return [
        Tile(
            path,
            visit.say(title),
            visit.say(what),
            counts[path],
            has_news=any(one.answer is not None for one in answered.get(path, ())),
        )
        for path, title, what in _TILES
    ]


def say_news(visit: Visit[Resident], wishes: OwnWishes) -> str:
    """Return how many questions and objections were answered, and how many wait; in words."""
    return _say_answered(visit, (*wishes.questions, *wishes.objections))


def _say_answered(visit: Visit[Resident], held: Sequence[OwnQuestion | OwnObjection]) -> str:
    waiting = sum(one.state == "open" for one in held)
    answered = sum(one.answer is not None for one in held)
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
