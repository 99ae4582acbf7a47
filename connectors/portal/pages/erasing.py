"""*Laat dit vernietigen*: asking that an entry of one's own log be destroyed; page and receipt.

Rules: who asks could read the entry, else this page is not here; asking destroys nothing, two
officers answer within a month, and what a law obliges to keep is kept.
Source: AVG 12(3), 17; Jeugdwet 7.3.9; Wmo 2015 5.3.5; protocol.md section 10.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import WHO, Acting, find_other_person, new_form
from connectors.portal.pages.entry import read_number
from connectors.portal.pages.log_cards import build_row
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.party.problems import NotFoundError
from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import Page as LogPage
from datwat.protocol.acts import Wish
from datwat.web.forms import Form
from datwat.web.site import Site, Visit


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Erasing(desk)
    path = "/log/{number}/erase"
    return (site.get(path, screen.show), site.post(path, screen.ask))


class Erasing:
    """The page of one entry."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what is asked, and what comes of it."""
        form = new_form(visit)
        number = read_number(visit.request.path_params["number"])
        card = await self._find(visit, number)
        if card is None:
            return visit.redirect(f"/log/{number}")
        page = await self._build_page(visit, form, card)
        return visit.render(page.template, page.context)

    async def ask(self, visit: Visit[Resident], form: Form) -> Response:
        """Record that the person asks it."""
        other = find_other_person(visit, form)
        if other is not None:
            return other
        resumed = await self._acting.resume(visit, form)
        if resumed is not None:
            return resumed
        number = read_number(visit.request.path_params["number"])
        card = await self._find(visit, number)
        if card is None:
            return visit.redirect(f"/log/{number}")
        page = await self._build_page(visit, form, card)
        receipt = Receipt("erasure", 0, visit.now, about=number)
        return await self._acting.record(visit, form, Wish(erases=number), receipt, page)

    async def _find(self, visit: Visit[Resident], number: int) -> AccessCard | None:
        """Return the entry, None where its contents are gone; raise NotFoundError for another's."""
        handle = visit.held.handle
        found = await self._desk.fetch_access_log(handle, LogPage(limit=1, number=number))
        if found.erased:
            return None
        if not found.cards:
            raise NotFoundError
        return found.cards[0]

    async def _build_page(self, visit: Visit[Resident], form: Form, card: AccessCard) -> Page:
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        path = visit.request.url.path
        context: dict[str, Any] = {
            "form": form,
            "path": path,
            "back": path.removesuffix("/erase"),
            "hidden": [(WHO, visit.held.viewing)],
            "broken": "",
            "whose": find_whose(visit),
            "number": card.number,
            "row": build_row(card, words, visit.speech),
        }
        return Page("erase_check.html", context)
