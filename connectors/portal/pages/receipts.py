"""The receipt of what somebody said: its number in the log, its date, and when an answer comes.

Rule: a number is one's own in this session, or the log shows what it is; another's is not here.
"""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from datwat.party.http_out import PeerError
from datwat.protocol.own_affairs import OwnWishes
from datwat.web.site import Site, Visit


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the route of this screen."""
    return (site.get("/receipts/{number:int}", Receipts(desk).show),)


class Receipts:
    """Shows receipts."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show a receipt, or go to the entry in the log."""
        held = visit.held
        number = visit.request.path_params["number"]
        receipt = held.said.find_receipt(held.viewing, number)
        if receipt is None:
            return visit.redirect(f"/log/{number}")
        context = {
            "receipt": receipt,
            "title": await self._find_title(visit, receipt.purpose),
            "answer_by": await self._find_answer_end(visit, number),
            "whose": find_whose(visit),
        }
        return visit.render("receipt.html", context)

    async def _find_title(self, visit: Visit[Resident], purpose: str) -> str:
        if not purpose:
            return ""
        return Words.of(await self._desk.require_bundle(), visit.speech.code).purpose(purpose)

    async def _find_answer_end(self, visit: Visit[Resident], number: int) -> datetime | None:
        """Return until when an answer comes; None where none does, or nobody can be asked now."""
        try:
            wishes = await self._desk.fetch_wishes(visit.held.handle)
        except PeerError:  # what was done is done: the receipt holds without it
            return None
        return find_answer_end(wishes, number)


def find_answer_end(wishes: OwnWishes, number: int) -> datetime | None:
    """Return until when a question or an objection is to be answered; pure."""
    ends = [(one.number, one.answer_by) for one in wishes.questions]
    ends += [(one.number, one.answer_by) for one in wishes.objections]
    return next((end for held, end in ends if held == number), None)
