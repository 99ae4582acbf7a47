"""*Stel een vraag*: to an organisation or to the officer, with a number, a day, and the answer.

Rule: a question comes before objection and complaint, and costs nothing; what is asked is in the
log of who asked. Source: AVG 12, 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import Acting
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.steps import Step, Steps, Values
from connectors.portal.pages.typed import build_options, read_typed
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.protocol.acts import Question, Wish
from datwat.protocol.own_affairs import KnownOrganisation
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

BASE: Final = "/questions"
OFFICER: Final = "officer"
_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True)
class Asked:
    """Whom somebody can ask."""

    organisations: Sequence[KnownOrganisation]

    def find(self, party_id: str) -> KnownOrganisation | None:
        """Return an organisation; None for the officer."""
        return next((one for one in self.organisations if one.id == party_id), None)


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Questions(desk)
    asking = Steps(
        f"{BASE}/new",
        (
            Step("", "question_new.html", _show_organisations, ("to", "about"), _read_to),
            Step("text", "question_text.html", _show_one, ("text",), _read_text),
            Step("check", "question_check.html", _show_one),
        ),
        screen.fetch_organisations,
        screen.ask,
        Acting(desk),
    )
    return (site.get(BASE, screen.show), *asking.build_routes(site))


class Questions:
    """The list, and asking."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what was asked, with the answers."""
        wishes = await self._desk.fetch_wishes(visit.held.handle)
        context = {"questions": wishes.questions, "now": visit.now, "whose": find_whose(visit)}
        return visit.render("questions.html", context)

    async def fetch_organisations(self, _visit: Visit[Resident]) -> Asked:
        """Return whom one can ask."""
        return Asked(self._desk.list_organisations())

    async def ask(
        self, visit: Visit[Resident], form: Form, values: Values, asked: Asked, page: Page
    ) -> Response:
        """Record the question."""
        found = asked.find(values["to"])
        about = int(values["about"]) if values["about"] else None
        question = Question(to=found.id if found else None, text=values["text"], about=about)
        receipt = Receipt("question", 0, visit.now, name=found.name if found else "")
        return await self._acting.record(visit, form, Wish(asks=question), receipt, page)


def _show_organisations(visit: Visit[Resident], values: Values, asked: Asked) -> dict[str, Any]:
    # Who comes from another entry asks about that one, whatever was begun before.
    about = visit.query("about", _LONGEST_NUMBER) or values["about"]
    officer = (
        OFFICER,
        visit.say(mark("The data protection officer")),
        visit.say(mark("Watches over how your data is used.")),
    )
    pairs = [officer, *((one.id, one.name) for one in asked.organisations)]
    return {
        "options": build_options(visit, pairs),
        "about": about if _is_number(about) else "",
    }


def _show_one(_visit: Visit[Resident], values: Values, asked: Asked) -> dict[str, Any]:
    found = asked.find(values["to"])
    return {"to": found, "text": values["text"], "about": values["about"]}


def _read_to(visit: Visit[Resident], form: Form, asked: Asked) -> Values:
    allowed = [OFFICER, *(one.id for one in asked.organisations)]
    sentence = visit.say(mark("Choose whom you want to ask."))
    about = form.value("about")
    return {
        "to": form.choice("to", allowed, missing=sentence),
        "about": about if _is_number(about) else "",
    }


def _read_text(visit: Visit[Resident], form: Form, _asked: Asked) -> Values:
    missing = visit.say(mark("Write down your question."))
    return {"text": read_typed(visit, form, "text", missing)}


def _is_number(typed: str) -> bool:
    return typed.isascii() and typed.isdecimal() and len(typed) <= _LONGEST_NUMBER
