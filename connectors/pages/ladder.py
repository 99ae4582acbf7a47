"""The ladder, least first: what can be done, and the two rungs on which nothing is shared."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, require_question
from connectors.pages.staff import Staff
from connectors.pages.views import build_ladder, build_summary
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit


class _Ladder:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show every rung."""
        question = require_question(visit)
        if not question.has_chosen:
            return visit.redirect(f"{question.path}/person")
        if question.find_unidentified() is not None:
            return visit.redirect(f"{question.path}/identify")
        words = await self._desk.find_words(visit)
        context = {
            "summary": build_summary(question, words),
            "sentence": words.require_purpose(question.purpose).sentence.render(words.code),
            "ladder": build_ladder(question, "", visit),
        }
        return visit.render("ladder.html", context)

    async def show_talk_first(self, visit: Visit[Staff]) -> Response:
        """Say what to talk about before there is a question."""
        ladder = build_ladder(None, "talk", visit)
        return visit.render("talk.html", {"summary": None, "sentence": "", "ladder": ladder})

    async def show_talk(self, visit: Visit[Staff]) -> Response:
        """Say what to talk about with the person."""
        question = require_question(visit)
        words = await self._desk.find_words(visit)
        context = {
            "summary": build_summary(question, words),
            "sentence": words.require_purpose(question.purpose).sentence.render(words.code),
            "ladder": build_ladder(question, "talk", visit),
        }
        return visit.render("talk.html", context)

    async def show_later(self, visit: Visit[Staff]) -> Response:
        """Ask whether the question is put away."""
        question = require_question(visit)
        context = {
            "form": visit.new_form(),
            "summary": build_summary(question, await self._desk.find_words(visit)),
            "ladder": build_ladder(question, "later", visit),
        }
        return visit.render("later.html", context)

    async def put_away(self, visit: Visit[Staff], _form: Form) -> Response:
        """Forget the question, with what was answered on it."""
        question = require_question(visit)
        del visit.session.held.questions[question.number]
        return visit.redirect("/", notice=visit.say(mark("You asked nothing more. That is fine.")))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Ladder(desk)
    return (
        site.get("/ask/{question:int}/ladder", screen.show),
        site.get("/talk", screen.show_talk_first),
        site.get("/ask/{question:int}/talk", screen.show_talk),
        site.get("/ask/{question:int}/later", screen.show_later),
        site.post("/ask/{question:int}/later", screen.put_away),
    )
