"""Who is involved: a question by category or *dat*, then what was answered: list, then picture.

Rule: *nobody* and *not for you to know* are one page: what came back is rendered, and nothing else
is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import Ask
from connectors.errors import IdentityMismatchError, IdentityMissingError
from connectors.pages.desk import StaffDesk, require_question
from connectors.pages.own import UNSENT, note_unsent
from connectors.pages.question import Question
from connectors.pages.staff import Staff
from connectors.pages.typed import MISMATCH
from connectors.pages.views import (
    MOST_IN_PICTURE,
    PersonView,
    build_ladder,
    build_persons,
    build_scope,
    build_summary,
)
from datwat.party import clock
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Act, Show, Site, Visit

Rung = Literal["category", "dat"]


@dataclass(frozen=True)
class Picture:
    """Who is around somebody: nodes of the picture, and the same as rows of a table."""

    middle: str
    nodes: tuple[tuple[str, str, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int


class _Involved:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    def build_show(self, rung: Rung) -> Show[Staff]:
        """Return the page that says what will be asked, before it is."""

        async def show(visit: Visit[Staff]) -> Response:
            question = require_question(visit)
            if not question.persons or question.find_unidentified() is not None:
                return visit.redirect(f"{question.path}/ladder")
            return await self._show(visit, question, rung, visit.new_form())

        return show

    def build_ask(self, rung: Rung) -> Act[Staff]:
        """Return what asks."""

        async def ask(visit: Visit[Staff], form: Form) -> Response:
            question = require_question(visit)
            request = Ask(
                professional=visit.session.held.professional,
                clients=tuple(person.build_ref() for person in question.persons),
                occasion=question.occasion or None,
                purpose=question.purpose,
                rung=rung,
            )
            try:
                answer = await self._desk.service.ask_who_is_involved(request)
            except (IdentityMismatchError, IdentityMissingError):
                form.refuse("persons", visit.say(MISMATCH))
                return await self._show(visit, question, rung, form)
            except UNSENT as error:
                note_unsent(form, visit, error)
                return await self._show(visit, question, rung, form)
            question.shown, question.shown_at = list(answer.results), clock.now()
            for person in question.persons:
                person.forget_record()
            return visit.redirect(f"{question.path}/found")

        return ask

    async def show_found(self, visit: Visit[Staff]) -> Response:
        """Show what was answered."""
        question = require_question(visit)
        if not question.shown:
            return visit.redirect(f"{question.path}/ladder")
        words = await self._desk.find_words(visit)
        persons = build_persons(question, self._desk, words)
        context = {
            "summary": build_summary(question, words),
            "scope": build_scope(question.shown, words),
            "persons": persons,
            "pictures": [build_picture([person], person.person) for person in persons],
            "household": build_picture(persons, visit.say(mark("Together"))),
            "duties": list(dict.fromkeys(d for one in persons for d in one.weighing.obligations)),
            "path": question.path,
            "ladder": build_ladder(question, "dat", visit),
        }
        return visit.render("found.html", context)

    async def _show(
        self, visit: Visit[Staff], question: Question, rung: Rung, form: Form
    ) -> Response:
        words = await self._desk.find_words(visit)
        purpose = words.require_purpose(question.purpose)
        context = {
            "form": form,
            "rung": rung,
            "action": visit.request.url.path,
            "persons": [person.called for person in question.persons],
            "sentence": purpose.sentence.render(words.code),
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, rung, visit),
        }
        if form.errors:
            return visit.render_refused("involved.html", context)
        return visit.render("involved.html", context)


def build_picture(persons: list[PersonView] | tuple[PersonView, ...], middle: str) -> Picture:
    """Return the picture of who is around one person or a household. Pure."""
    pointers = [pointer for person in persons for pointer in person.pointers]
    several = len(persons) > 1
    return Picture(
        middle=middle.split(" (", 1)[0][:10],
        nodes=tuple(
            (one.name, one.person if several else one.kind, True)
            for one in pointers[:MOST_IN_PICTURE]
        ),
        rows=tuple(
            (one.name, one.kind, one.person, ", ".join(text for _, text in one.contact))
            for one in pointers
        ),
        left_out=max(0, len(pointers) - MOST_IN_PICTURE),
    )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Involved(desk)
    rungs: tuple[Rung, ...] = ("category", "dat")
    routes = [
        route
        for rung in rungs
        for route in (
            site.get(f"/ask/{{question:int}}/{rung}", screen.build_show(rung)),
            site.post(f"/ask/{{question:int}}/{rung}", screen.build_ask(rung)),
        )
    ]
    return (*routes, site.get("/ask/{question:int}/found", screen.show_found))
