"""The first page: what this is and the way in; for who is logged in, the way to everything.

Rule: it shows itself whatever the broker does; what waits and what came is told where it answers.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.wishes import PATH, say_news
from connectors.portal.resident import Resident
from datwat.party.http_out import PeerError
from datwat.protocol.errors import ProtocolError
from datwat.web.site import Site, Visit


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""

    async def show(visit: Visit[Resident]) -> Response:
        if visit.found is None:
            return visit.render("welcome.html")
        context = {"whose": find_whose(visit), "news": {PATH: await _find_news(visit, desk)}}
        return visit.render("home.html", context)

    return (site.get("/", show, needs_login=False),)


async def _find_news(visit: Visit[Resident], desk: ResidentDesk) -> str:
    """Return what waits and what came, in words; nothing where the broker does not tell now."""
    try:
        wishes = await desk.fetch_wishes(visit.held.handle)
    except (PeerError, ProtocolError):
        return ""
    return say_news(visit, wishes)
