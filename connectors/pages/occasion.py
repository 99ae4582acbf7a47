"""Then the occasion: one of the own open ones, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, require_question
from connectors.pages.moments import read_date
from connectors.pages.question import Opening, Question
from connectors.pages.staff import Staff
from connectors.pages.typed import read_line
from connectors.pages.views import build_ladder, build_summary
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

NEW: Final = "new"
KINDS: Final = (
    ("help_request", mark("The person asked for help. This leads everything.")),
    ("report", mark("Somebody reported a concern.")),
    ("signal", mark("You noticed something yourself.")),
    ("statutory_task", mark("A law gives your organisation this task.")),
    ("crisis", mark("Somebody is in danger now. You may only ask for contact.")),
)


@dataclass(frozen=True)
class Choice:
    """An open occasion to choose."""

    number: str
    title: str
    hint: str


class _Occasion:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show the own occasions."""
        question = require_question(visit)
        form = visit.new_form()
        chosen = NEW if question.opening else question.occasion
        form.values = form.values or ({"occasion": (chosen,)} if chosen else {})
        return await self._show(visit, question, form)

    async def choose(self, visit: Visit[Staff], form: Form) -> Response:
        """Choose one of them, or a new one."""
        question, staff = require_question(visit), visit.session.held
        numbers = {one.number for one in self._desk.list_occasions(staff, visit.now)}
        chosen = form.choice("occasion", numbers | {NEW}, missing=visit.say(_MISSING))
        if form.errors:
            return await self._show(visit, question, form)
        if chosen == NEW and NEW not in numbers:
            return visit.redirect(f"{question.path}/new")
        if chosen != question.occasion:
            question.occasion = chosen
            question.persons, question.has_chosen = [], False
            question.shown.clear()
            question.wanted.clear()
        question.opening = None
        return visit.redirect(f"{question.path}/person")

    async def show_new(self, visit: Visit[Staff]) -> Response:
        """Ask what a new occasion is."""
        question = require_question(visit)
        form = visit.new_form()
        if question.opening is not None and not form.values:
            held = question.opening
            form.values = {"kind": (held.kind,), "team": (held.team,), "number": (held.number,)}
            form.values |= {"inform_by": (str(held.inform_by or ""),)}
        return await self._show_new(visit, question, form)

    async def begin(self, visit: Visit[Staff], form: Form) -> Response:
        """Begin a new occasion; nothing is sent before its household is known."""
        question = require_question(visit)
        kinds = [kind for kind, _ in KINDS]
        kind = form.choice("kind", kinds, missing=visit.say(mark("Choose what the occasion is.")))
        missing = visit.say(mark("Write which team works on this."))
        team = read_line(form, visit, "team", missing)
        missing = visit.say(mark("Write your own number of this occasion."))
        number = read_line(form, visit, "number", missing)
        if number and self._desk.service.store.find_occasion(number) is not None:
            form.refuse("number", visit.say(mark("This number is in use. Choose another one.")))
        inform_by = read_date(form, "inform_by", visit, is_optional=kind == "help_request")
        if form.errors:
            return await self._show_new(visit, question, form)
        household = question.opening.household if question.opening else []
        question.opening = Opening(kind, team, number, inform_by, household)
        return visit.redirect(f"{question.path}/household")

    async def _show(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        choices = [
            Choice(
                number=one.number,
                title=one.number,
                hint=f"{words.name(one.kind)}. {one.team}. {', '.join(one.members)}",
            )
            for one in self._desk.list_occasions(visit.session.held, visit.now)
        ]
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "choices": choices,
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("occasion.html", context)
        return visit.render("occasion.html", context)

    async def _show_new(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "kinds": [(kind, words.name(kind), visit.say(hint)) for kind, hint in KINDS],
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("occasion_new.html", context)
        return visit.render("occasion_new.html", context)


_MISSING = mark("Choose on which occasion you ask.")


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Occasion(desk)
    return (
        site.get("/ask/{question:int}/occasion", screen.show),
        site.post("/ask/{question:int}/occasion", screen.choose),
        site.get("/ask/{question:int}/new", screen.show_new),
        site.post("/ask/{question:int}/new", screen.begin),
    )
