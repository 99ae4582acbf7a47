"""The guard rails: what no purpose can switch off, by which law, and what a draft is told.

Rule: the page says what the code holds (`broker/purposes/guards.py`), and nothing beside it. It is
the help of the form of a draft, which leads to each of them where a draft breaks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.purposes.phrases import Phrase
from broker.purposes.phrases_guards import GUARDS, REASONS, REFUSALS, Guard
from datwat.web.site import Site, Visit

PATH: Final = "/guards"
_OF_ALL: Final = "switch"


@dataclass(frozen=True)
class GuardView:
    """One guard rail; `reasons` are what a draft that breaks it is told."""

    path: str
    anchor: str
    text: str
    law: str
    reasons: tuple[str, ...] = ()


class _Guards:
    def __init__(self, desk: OfficerDesk) -> None:
        self._roles = desk.roles

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show every guard rail."""
        await self._roles.require_role(visit, *READERS)
        context = {
            "guards": [build_guard(visit, one) for one in GUARDS],
            "of_all": choose_phrase(visit, REASONS[_OF_ALL]),
        }
        return visit.render("guards.html", context)


def build_guard(visit: Visit[Officer], guard: Guard) -> GuardView:
    """Return a guard rail in the language of the page."""
    text, law = GUARDS[guard]
    anchor = f"guard-{guard}"
    return GuardView(
        path=f"{PATH}#{anchor}",
        anchor=anchor,
        text=choose_phrase(visit, text),
        law=law,
        # What all of them are told for a member that no purpose has stands there once.
        reasons=tuple(
            choose_phrase(visit, REASONS[one]) for one in REFUSALS[guard] if one != _OF_ALL
        ),
    )


def choose_phrase(visit: Visit[Officer], phrase: Phrase) -> str:
    """Return a phrase in the language of the page."""
    return phrase[visit.speech.code == "en"]


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get(PATH, _Guards(desk).show),)
