"""Whose pages these are: one's own, or those of somebody whom one represents; never both at once.

Rules: the switch is a form, kept by the session; each person has their own log, filters and place
in it, and what one typed is not shown with the other. Source: protocol.md, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.resident import Resident, Who
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/person"
_TOLD: Final[dict[Who, str]] = {
    "self": mark("You now see your own pages."),
    "represented": mark("You now see the pages of the person whom you represent."),
}


@dataclass(frozen=True)
class Whose:
    """Whose pages are shown, and the form that switches, where there are two persons."""

    is_represented: bool
    can_switch: bool
    form: Form


def find_whose(visit: Visit[Resident]) -> Whose:
    """Return whose pages a visit shows."""
    held = visit.held
    form = visit.site.forms.build(visit.found, PATH, visit.now)
    return Whose(held.viewing == "represented", len(held.persons) > 1, form)


def look_at(visit: Visit[Resident], who: Who) -> None:
    """Show a person's pages from now on: in this request and in the session."""
    visit.held.viewing = visit.session.held.viewing = who


def build_routes(site: Site[Resident]) -> tuple[Route, ...]:
    """Return the route of the switch."""
    return (site.post(PATH, switch),)


async def switch(visit: Visit[Resident], form: Form) -> Response:
    """Show the pages of the other person from now on, beginning at their log."""
    chosen = next((who for who in visit.held.persons if who == form.value("person")), None)
    if chosen is None:
        return visit.redirect("/log")
    look_at(visit, chosen)
    return visit.redirect("/log", notice=visit.say(_TOLD[chosen]))
