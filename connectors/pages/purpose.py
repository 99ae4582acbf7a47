"""First the purpose: what the question is for, in the words that the resident reads as well."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, Words, require_question
from connectors.pages.staff import Staff
from connectors.pages.views import build_ladder
from datwat.protocol.catalogue import PurposeView
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit


@dataclass(frozen=True)
class Choice:
    """A purpose to choose: what it is called, what it is for, and whether its law was checked."""

    id: str
    title: str
    sentence: str


class _Purpose:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show_first(self, visit: Visit[Staff]) -> Response:
        """Show the purposes, for a new question."""
        return await self._show(visit, visit.new_form(), "/ask")

    async def begin(self, visit: Visit[Staff], form: Form) -> Response:
        """Begin a question with a purpose."""
        words = await self._desk.find_words(visit)
        purpose = form.choice("purpose", words.purpose_ids, missing=visit.say(_MISSING))
        if form.errors:
            return await self._show(visit, form, "/ask")
        question = visit.session.held.begin(purpose)
        return visit.redirect(f"{question.path}/occasion")

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show the purposes again, with the one that was chosen."""
        question = require_question(visit)
        form = visit.new_form()
        form.values = form.values or {"purpose": (question.purpose,)}
        return await self._show(visit, form, f"{question.path}/purpose")

    async def change(self, visit: Visit[Staff], form: Form) -> Response:
        """Choose another purpose; what was answered for the former one does not count for it."""
        question = require_question(visit)
        words = await self._desk.find_words(visit)
        purpose = form.choice("purpose", words.purpose_ids, missing=visit.say(_MISSING))
        if form.errors:
            return await self._show(visit, form, f"{question.path}/purpose")
        if purpose != question.purpose:
            question.purpose = purpose
            question.shown.clear()
            question.wanted.clear()
        return visit.redirect(f"{question.path}/occasion")

    async def _show(self, visit: Visit[Staff], form: Form, action: str) -> Response:
        words = await self._desk.find_words(visit)
        own: list[Choice] = []
        other: list[Choice] = []
        for purpose in sorted(words.list_purposes(), key=lambda one: one.id):
            is_own = any(one.function == self._desk.function for one in purpose.requesters)
            (own if is_own else other).append(_build_choice(purpose, words))
        context = {
            "form": form,
            "action": action,
            "own": own,
            "other": other,
            "summary": None,
            "ladder": build_ladder(None, "", visit),
        }
        if form.errors:
            return visit.render_refused("purpose.html", context)
        return visit.render("purpose.html", context)


_MISSING = mark("Choose what the question is for.")


def _build_choice(purpose: PurposeView, words: Words) -> Choice:
    sentence = purpose.sentence.render(words.code)
    return Choice(purpose.id, purpose.title.render(words.code), sentence)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Purpose(desk)
    return (
        site.get("/ask", screen.show_first),
        site.post("/ask", screen.begin),
        site.get("/ask/{question:int}/purpose", screen.show),
        site.post("/ask/{question:int}/purpose", screen.change),
    )
