"""The operator's page: of each part how it is, since when, and what to do; nothing of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.pages.part_words import build_view
from broker.purposes.roles import RoleName
from broker.status import Part
from datwat.web.site import Site, Visit

PATH: Final = "/system"
ROLES: Final[tuple[RoleName, ...]] = ("operator", "auditor", "data_protection_officer")
_URGENCY: Final = {"failed": 0, "attention": 1, "ok": 2, "off": 3}


class _System:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show every part, what does not work first."""
        await self._desk.roles.require_role(visit, *ROLES)
        parts = self._desk.list_parts()
        ordered = sorted(parts, key=lambda part: _URGENCY[part.state])
        context = {
            "parts": [build_view(_say_day(part, visit), visit.say) for part in ordered],
            "failed": sum(part.state == "failed" for part in parts),
            "attention": sum(part.state == "attention" for part in parts),
            "at": visit.now,
        }
        return visit.render("system.html", context)


def _say_day(part: Part, visit: Visit[Officer]) -> Part:
    """Return a part whose day (`until`, as 2026-12-31) is said as the page says days."""
    until = part.values.get("until")
    if not isinstance(until, str):
        return part
    said = visit.speech.say_date(date.fromisoformat(until))
    return replace(part, values={**part.values, "until": said})


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get(PATH, _System(desk).show),)
