"""Asking for data: which source, which fields each with its why, what was told, the own reasons.

Rule: nothing is ticked beforehand; the fields and their why are those of the purpose; the reasons
are the professional's own, per blade, and the resident reads them.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, Words, require_question
from connectors.pages.question import Question, Wanted
from connectors.pages.staff import Staff
from connectors.pages.typed import REACTIONS, read_conversation, read_text
from connectors.pages.values import build_fields
from connectors.pages.views import build_ladder, build_persons, build_summary, find_title
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Motivation
from datwat.protocol.messages import BLADES
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

_NO_REASON = mark("Write your reason. The resident reads it.")
HINTS = {
    "purpose": mark("What do you want to reach, together with this person?"),
    "subsidiarity": mark("Why can you not ask the person, or do with less?"),
    "proportionality": mark("Why these data, and no others?"),
    "efficiency": mark("Why does this organisation know it best?"),
    "transparency": mark("What did you tell the person, and when?"),
}


class _Known:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show_sources(self, visit: Visit[Staff]) -> Response:
        """Show of whom data can be asked: who was shown to be involved."""
        question = require_question(visit)
        words = await self._desk.find_words(visit)
        persons = build_persons(question, self._desk, words)
        context = {
            "form": visit.new_form(),
            "summary": build_summary(question, words),
            "pointers": [one for person in persons for one in person.pointers],
            "path": question.path,
            "ladder": build_ladder(question, "wat", visit),
        }
        return visit.render("sources.html", context)

    async def begin(self, visit: Visit[Staff], form: Form) -> Response:
        """Begin a question to one of them, by its place on the page."""
        question = require_question(visit)
        words = await self._desk.find_words(visit)
        place, _, edge = form.value("ask").partition(".")
        wanted = self._find_wanted(question, words, place, edge)
        return visit.redirect(f"{question.path}/wat/{question.want(wanted)}")

    async def show_fields(self, visit: Visit[Staff]) -> Response:
        """Show the fields."""
        question, wanted = require_wanted(visit)
        form = visit.new_form()
        form.values = form.values or {"fields": wanted.fields}
        return await self._show(visit, question, wanted, form, "fields.html")

    async def choose(self, visit: Visit[Staff], form: Form) -> Response:
        """Take the fields that were ticked."""
        question, wanted = require_wanted(visit)
        offered = [one.field for one in wanted.edge.fields]
        chosen = tuple(path for path in offered if path in form.chosen("fields"))
        if not chosen:
            form.refuse(
                "fields", visit.say(mark("Choose at least one. Do you need none? Then stop here."))
            )
            return await self._show(visit, question, wanted, form, "fields.html")
        wanted.fields = chosen
        return visit.redirect(f"{visit.request.url.path}/told")

    async def show_told(self, visit: Visit[Staff]) -> Response:
        """Ask whether the person knows."""
        question, wanted = require_wanted(visit)
        form = visit.new_form()
        form.values = form.values or ({"told": (wanted.told,)} if wanted.told else {})
        return await self._show(visit, question, wanted, form, "wanted_told.html")

    async def tell(self, visit: Visit[Staff], form: Form) -> Response:
        """Note what the person was told."""
        question, wanted = require_wanted(visit)
        ways = ("before", "now", "no")
        told = form.choice(
            "told", ways, missing=visit.say(mark("Choose whether the person knows."))
        )
        conversation = read_conversation(form, visit) if told == "now" else None
        if form.errors:
            return await self._show(visit, question, wanted, form, "wanted_told.html")
        wanted.told, wanted.conversation = told, conversation
        return visit.redirect(f"{build_path(question, visit)}/why")

    async def show_why(self, visit: Visit[Staff]) -> Response:
        """Ask for the reasons, one per blade."""
        question, wanted = require_wanted(visit)
        form = visit.new_form()
        held = wanted.motivation
        form.values = form.values or {blade: (getattr(held, blade),) for blade in BLADES}
        return await self._show(visit, question, wanted, form, "why.html")

    async def motivate(self, visit: Visit[Staff], form: Form) -> Response:
        """Take the reasons."""
        question, wanted = require_wanted(visit)
        reasons = {blade: read_text(form, visit, blade, visit.say(_NO_REASON)) for blade in BLADES}
        if form.errors:
            return await self._show(visit, question, wanted, form, "why.html")
        wanted.motivation = Motivation(**reasons)
        return visit.redirect(f"{build_path(question, visit)}/check")

    async def _show(
        self, visit: Visit[Staff], question: Question, wanted: Wanted, form: Form, template: str
    ) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "action": visit.request.url.path,
            "place": build_path(question, visit),
            "source": wanted.pointer.source_name or "",
            "person": wanted.person.called,
            "product": find_title(words, wanted.edge.product),
            "fields": [(one.path, one.title, one.why) for one in build_fields(wanted, words)],
            "reactions": [(code, words.say(f"reaction_{code}")) for code in REACTIONS],
            "blades": [
                (blade, words.say(f"question_{blade}"), visit.say(HINTS[blade])) for blade in BLADES
            ],
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        if form.errors:
            return visit.render_refused(template, context)
        return visit.render(template, context)

    def _find_wanted(self, question: Question, words: Words, place: str, edge: str) -> Wanted:
        """Return a new question to a source that was shown; raise NotFoundError."""
        pointers = question.list_pointers()
        if not (_is_number(place, len(pointers))):
            raise NotFoundError
        result, pointer = pointers[int(place)]
        edges = self._desk.list_edges(words.require_purpose(question.purpose), pointer.source)
        person = question.find_person(result.client)
        if person is None or not _is_number(edge, len(edges)):
            raise NotFoundError
        return Wanted(pointer, person, edges[int(edge)])


def require_wanted(visit: Visit[Staff]) -> tuple[Question, Wanted]:
    """Return the question for data that an address names; raise NotFoundError."""
    question = require_question(visit)
    wanted = question.wanted.get(int(visit.request.path_params["wanted"]))
    if wanted is None:
        raise NotFoundError
    return question, wanted


def build_path(question: Question, visit: Visit[Staff]) -> str:
    """Return where the pages of a question for data lie."""
    return f"{question.path}/wat/{visit.request.path_params['wanted']}"


def _is_number(text: str, below: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4 and int(text) < below  # noqa: PLR2004 - no place is that far


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Known(desk)
    place = "/ask/{question:int}/wat/{wanted:int}"
    return (
        site.get("/ask/{question:int}/wat", screen.show_sources),
        site.post("/ask/{question:int}/wat", screen.begin),
        site.get(place, screen.show_fields),
        site.post(place, screen.choose),
        site.get(f"{place}/told", screen.show_told),
        site.post(f"{place}/told", screen.tell),
        site.get(f"{place}/why", screen.show_why),
        site.post(f"{place}/why", screen.motivate),
    )
