"""*Deze mag niet kijken*: naming an organisation, what that stops and what it cannot stop.

Rule: it stops a question only where no law makes asking a duty and nobody is in danger; the page
says so before it is done. Source: AVG 21; Wmo 2015 4.1.1, 5.2.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import Acting
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.steps import Step, Steps, Values
from connectors.portal.pages.taking_back import TakeBack, Taking
from connectors.portal.pages.typed import build_options
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Wish
from datwat.protocol.own_affairs import KnownOrganisation, OwnBlock, OwnWishes
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

BASE: Final = "/blocks"


@dataclass(frozen=True)
class Nameable:
    """Who can be named, and for which purposes naming them holds nothing up."""

    organisations: Sequence[KnownOrganisation] = field(repr=False)
    unstopped: list[str]

    def find(self, party_id: str) -> KnownOrganisation | None:
        """Return an organisation."""
        return next((one for one in self.organisations if one.id == party_id), None)


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Blocks(desk)
    naming = Steps(
        f"{BASE}/new",
        (
            Step("", "block_new.html", _show_all, ("organisation",), _read_organisation),
            Step("check", "block_check.html", _show_one),
        ),
        screen.fetch_nameable,
        screen.block,
        Acting(desk),
    )
    return (
        site.get(BASE, screen.show),
        *naming.build_routes(site),
        *TakeBack(_LIFTING, desk).build_routes(site),
    )


class Blocks:
    """The list, and naming."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show who may not look."""
        wishes = await self._desk.fetch_wishes(visit.held.handle)
        return visit.render("blocks.html", {"blocks": wishes.blocks, "whose": find_whose(visit)})

    async def fetch_nameable(self, visit: Visit[Resident]) -> Nameable:
        """Return who takes part and is not named yet, and what naming does not stop."""
        wishes = await self._desk.fetch_wishes(visit.held.handle)
        named = {one.organisation for one in wishes.blocks}
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        return Nameable(
            [one for one in self._desk.list_organisations() if one.id not in named],
            [
                one.title.render(words.code)
                for one in words.list_purposes(visit.now)
                if one.objection == "none"
            ],
        )

    async def block(
        self, visit: Visit[Resident], form: Form, values: Values, nameable: Nameable, page: Page
    ) -> Response:
        """Record that an organisation may not look."""
        found = nameable.find(values["organisation"])
        if found is None:
            raise NotFoundError
        receipt = Receipt("block", 0, visit.now, name=found.name)
        return await self._acting.record(visit, form, Wish(blocks=found.id), receipt, page)


def _show_all(visit: Visit[Resident], _values: Values, nameable: Nameable) -> dict[str, Any]:
    pairs = [(one.id, one.name) for one in nameable.organisations]
    return {"options": build_options(visit, pairs)}


def _show_one(_visit: Visit[Resident], values: Values, nameable: Nameable) -> dict[str, Any]:
    found = nameable.find(values["organisation"])
    return {"named": found, "unstopped": nameable.unstopped}


def _read_organisation(visit: Visit[Resident], form: Form, nameable: Nameable) -> Values:
    allowed = [one.id for one in nameable.organisations]
    sentence = visit.say(mark("Choose an organisation."))
    return {"organisation": form.choice("organisation", allowed, missing=sentence)}


def _find(wishes: OwnWishes, number: int, _visit: Visit[Resident]) -> OwnBlock | None:
    return next((one for one in wishes.blocks if one.number == number), None)


def _build_lift(block: OwnBlock, _words: Words) -> tuple[Wish, Receipt, dict[str, Any]]:
    receipt = Receipt("unblock", 0, block.since_at, name=block.organisation_name)
    return Wish(lifts=block.number), receipt, {"block": block}


_LIFTING: Final = Taking(BASE, "lift", "block_lift.html", _find, _build_lift)
