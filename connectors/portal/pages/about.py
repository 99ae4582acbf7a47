"""What residents can always read: what this is, what is not here, their rights, who helps.

Rule: these pages ask nobody anything, so that they work when all else is down.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.resident import Resident
from datwat.web.site import Show, Site, Visit

_PAGES = {
    "/about": "about.html",
    "/about/not-here": "not_here.html",
    "/about/rights": "rights.html",
    "/help": "help.html",
}


def build_routes(site: Site[Resident]) -> tuple[Route, ...]:
    """Return the route of each page."""
    return tuple(
        site.get(path, _build_show(template), needs_login=False)
        for path, template in _PAGES.items()
    )


def _build_show(template: str) -> Show[Resident]:
    async def show(visit: Visit[Resident]) -> Response:
        return visit.render(template)

    return show
