"""*One entry*: who asked and why, what was shared, whether that was allowed, and the proof.

Rules: a number is public and says nothing about a person, so that it may stand in an address; one
that is another's, waits, or is none is answered as an address that is not there; one's own whose
contents are gone says so. Source: AVG 12-15; protocol.md section 10.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.entry_facts import build_facts
from connectors.portal.pages.entry_parts import (
    build_basis,
    build_blades,
    build_days,
    build_given,
    build_proofs,
    build_who,
    build_withheld,
    read_asked,
)
from connectors.portal.pages.log_cards import build_row
from connectors.portal.pages.log_results import QUESTIONS
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from datwat.party.problems import NotFoundError
from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import Page
from datwat.protocol.bundle import Bundle
from datwat.protocol.free_text import has_number
from datwat.web.site import Site, Visit

_LARGEST: Final = 2**53 - 1


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Screen(desk)
    return (site.get("/log/{number}", screen.show),)


class _Screen:
    def __init__(self, desk: ResidentDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show one entry; raise NotFoundError for whatever is not there for this person."""
        number = read_number(visit.request.path_params["number"])
        handle = visit.held.handle
        found = await self._desk.fetch_access_log(handle, Page(limit=1, number=number))
        if found.erased:
            context: dict[str, Any] = {"number": number, "whose": find_whose(visit)}
            return visit.render("entry_erased.html", context, status=HTTPStatus.GONE)
        if not found.cards:
            raise NotFoundError
        bundle = await self._desk.require_bundle()
        return visit.render("entry.html", self._build_context(visit, found.cards[0], bundle))

    def _build_context(
        self, visit: Visit[Resident], card: AccessCard, bundle: Bundle
    ) -> dict[str, Any]:
        words = Words.of(bundle, visit.speech.code)
        return {
            "whose": find_whose(visit),
            "number": card.number,
            "row": build_row(card, words, visit.speech),
            "is_question": card.event in QUESTIONS,
            "is_release": card.event == "release",
            "permitted": card.permitted,
            "who": build_who(card, self._desk.list_organisations(), words),
            "purpose": words.purpose(card.purpose) if card.purpose else "",
            "occasion": _say_occasion(card, words),
            "given": build_given(card, words),
            "withheld": build_withheld(card, words, visit.speech),
            "failure": words.say(card.failure) if card.failure else "",
            "blades": build_blades(card, words, visit.speech),
            "basis": build_basis(card, bundle.catalogue, words),
            "days": build_days(card),
            "told_later_at": card.told_later_at,
            "facts": build_facts(card, words, visit.speech),
            "proofs": build_proofs(card),
            "has_motivation": card.motivation is not None,
        }


def _say_occasion(card: AccessCard, words: Words) -> str:
    kind = read_asked(card).get("occasion_kind")
    return words.say_first(str(kind)) if kind else ""


def read_number(typed: str) -> int:
    """Return the number of an address; raise NotFoundError, as for one that nobody has."""
    if not (typed.isascii() and typed.isdigit() and len(typed) <= len(str(_LARGEST))):
        raise NotFoundError
    number = int(typed)
    # A citizen service number in an address is nobody's entry, and goes no further (promise 1).
    if number > _LARGEST or str(number) != typed or has_number(typed):
        raise NotFoundError
    return number
