"""A contact request: passed on to one organisation; who asks learns that it was sent, no more."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import RequestContact
from connectors.pages.desk import StaffDesk, require_question
from connectors.pages.own import attempt
from connectors.pages.question import Question
from connectors.pages.staff import Staff
from connectors.pages.typed import read_line
from connectors.pages.views import build_ladder, build_summary, build_weighing
from datwat.protocol.acts import Contact
from datwat.protocol.values import derive_function
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit


class _Contact:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask whom, about whom, and where to call back."""
        question = require_question(visit)
        form = visit.new_form()
        place = visit.query("from", most=4)
        pointers = question.list_pointers()
        if not form.values and place.isascii() and place.isdigit() and int(place) < len(pointers):
            result, pointer = pointers[int(place)]
            form.values = {"source": (pointer.source or "",), "person": (result.client,)}
        return await self._show(visit, question, form)

    async def send(self, visit: Visit[Staff], form: Form) -> Response:
        """Send it on."""
        question = require_question(visit)
        staff, words = visit.session.held, await self._desk.find_words(visit)
        sources = [source for source, _ in self._list_sources()]
        missing = visit.say(mark("Choose which organisation is asked."))
        source = form.choice("source", sources, missing=missing)
        numbers = [person.number for person in question.persons]
        missing = visit.say(mark("Choose about whom it is."))
        number = form.choice("person", numbers, missing=missing)
        missing = visit.say(mark("Write the number at which you can be called."))
        phone = read_line(form, visit, "phone", missing)
        person = question.find_person(number)
        if form.errors or person is None:
            return await self._show(visit, question, form)
        request = RequestContact(
            professional=staff.professional,
            client=person.build_ref(),
            occasion=question.occasion or None,
            purpose=question.purpose,
            source=source,
            call_back=Contact(role=staff.professional.role, phone=phone),
        )
        results = await attempt(form, visit, self._desk.service.request_contact(request))
        if results is None:
            return await self._show(visit, question, form)
        person.forget_record()
        result = results.results[0]
        if not result.weighing.permitted:
            context = {
                "summary": build_summary(question, words),
                "weighing": build_weighing(result.weighing, words),
                "ladder": build_ladder(question, "contact", visit),
            }
            return visit.render("contact_refused.html", context)
        notice = visit.say(
            mark("Your request was passed on. You hear nothing more, unless they call you.")
        )
        return visit.redirect(f"{question.path}/ladder", notice=notice)

    async def _show(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        if len(question.persons) == 1:
            form.values = {"person": (question.persons[0].number,), **form.values}
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "sources": [("", visit.say(mark("Choose …"))), *self._list_sources()],
            "persons": [(person.number, person.called) for person in question.persons],
            "ladder": build_ladder(question, "contact", visit),
        }
        if form.errors:
            return visit.render_refused("contact.html", context)
        return visit.render("contact.html", context)

    def _list_sources(self) -> list[tuple[str, str]]:
        """Return every other partner that works with residents, by name: whoever is involved."""
        directory = self._desk.service.exchange.directory
        own = self._desk.service.exchange.party_id
        sources = [
            (partner.id, partner.name)
            for partner in directory.partners.values()
            if partner.id != own and partner.gateway_url is not None
        ]
        return sorted(sources, key=lambda one: (one[1].casefold(), derive_function(one[0])))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Contact(desk)
    return (
        site.get("/ask/{question:int}/contact", screen.show),
        site.post("/ask/{question:int}/contact", screen.send),
    )
