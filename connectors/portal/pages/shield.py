"""*Afscherming*: nobody is shown where somebody lives or gets help; on, off, number and date.

Rule: shielded, others read the kind of help and a central number only. Source: AVG 18, 25.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import Acting
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.steps import Step, Steps, Values
from connectors.portal.pages.taking_back import TakeBack, Taking
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.protocol.acts import Wish
from datwat.protocol.own_affairs import OwnShield, OwnWishes
from datwat.web.forms import Form
from datwat.web.site import Site, Visit

BASE: Final = "/shield"


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = ShieldPage(desk)
    steps: tuple[Step[None]] = (Step("", "shield_check.html", _show_nothing),)
    asking = Steps(f"{BASE}/on", steps, screen.fetch_nothing, screen.shield, Acting(desk))
    return (
        site.get(BASE, screen.show),
        *asking.build_routes(site),
        *TakeBack(_LIFTING, desk).build_routes(site),
    )


class ShieldPage:
    """How it stands, and asking for it."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show whether somebody is shielded."""
        wishes = await self._desk.fetch_wishes(visit.held.handle)
        return visit.render("shield.html", {"shield": wishes.shield, "whose": find_whose(visit)})

    async def fetch_nothing(self, _visit: Visit[Resident]) -> None:
        """Fetch nothing: the question is the same for everybody."""

    async def shield(
        self, visit: Visit[Resident], form: Form, _values: Values, _fetched: None, page: Page
    ) -> Response:
        """Record the wish."""
        receipt = Receipt("shield", 0, visit.now)
        return await self._acting.record(visit, form, Wish(shields=True), receipt, page)


def _show_nothing(_visit: Visit[Resident], _values: Values, _fetched: None) -> dict[str, Any]:
    return {}


def _find(wishes: OwnWishes, number: int, _visit: Visit[Resident]) -> OwnShield | None:
    shield = wishes.shield
    return shield if shield is not None and shield.number == number else None


def _build_lift(shield: OwnShield, _words: Words) -> tuple[Wish, Receipt, dict[str, Any]]:
    return Wish(lifts=shield.number), Receipt("unshield", 0, shield.since_at), {"shield": shield}


_LIFTING: Final = Taking(BASE, "lift", "shield_lift.html", _find, _build_lift)
