"""Then the person: of the occasion's household, or by the own number; the BSN only of strangers."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.identity import Record, require_same_person
from connectors.client.requests import BsnRecord
from connectors.errors import IdentityMismatchError
from connectors.pages.desk import StaffDesk, require_question
from connectors.pages.question import Person, Question
from connectors.pages.staff import Staff
from connectors.pages.typed import MISMATCH, read_person, read_record
from connectors.pages.views import build_ladder, build_summary
from datwat.party.problems import NotFoundError
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

IDENTITIES = (
    ("document", mark("I saw an identity document")),
    ("register", mark("From a register")),
)


class _Person:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show who is in the occasion's household; nobody is chosen beforehand."""
        question = require_question(visit)
        if not question.occasion:
            return visit.redirect(f"{question.path}/occasion")
        form = visit.new_form()
        chosen = tuple(one.number for one in question.persons if question.has_chosen)
        form.values = form.values or {"persons": chosen}
        return await self._show(visit, question, form)

    async def choose(self, visit: Visit[Staff], form: Form) -> Response:
        """Take who was ticked; their places on the page are all that the form names."""
        question = require_question(visit)
        everybody = await self._list_persons(visit, question)
        known = {person.number: person for person in everybody}
        chosen = [known[number] for number in form.chosen("persons") if number in known]
        if not chosen:
            form.refuse("persons", visit.say(mark("Choose about whom you ask.")))
            return await self._show(visit, question, form)
        if {person.number for person in chosen} != {person.number for person in question.persons}:
            question.shown.clear()
            question.wanted.clear()
        question.persons, question.has_chosen = chosen, True
        return visit.redirect(f"{question.path}/ladder")

    async def show_other(self, visit: Visit[Staff]) -> Response:
        """Ask for somebody else than the household."""
        question = require_question(visit)
        return await self._show_other(visit, question, visit.new_form())

    async def add(self, visit: Visit[Staff], form: Form) -> Response:
        """Take somebody by the own number, name and date of birth."""
        question = require_question(visit)
        person = await read_person(form, visit, self._desk)
        if form.errors or person is None:
            return await self._show_other(visit, question, form)
        if question.find_person(person.number) is None:
            known = question.persons if question.has_chosen else []
            question.persons, question.has_chosen = [*known, person], True
            question.shown.clear()
            question.wanted.clear()
        if person.needs_record:
            return visit.redirect(f"{question.path}/identify")
        return visit.redirect(f"{question.path}/ladder")

    async def show_identify(self, visit: Visit[Staff]) -> Response:
        """Ask for the record with the BSN of who is not known here."""
        question, person = _require_unidentified(visit)
        return await self._show_identify(visit, question, person, visit.new_form())

    async def identify(self, visit: Visit[Staff], form: Form) -> Response:
        """Compare name and date of birth with the document, before the BSN is used."""
        question, person = _require_unidentified(visit)
        if not self._desk.may_use_bsn:
            raise NotFoundError
        record = read_record(form, visit, person.number)
        missing = visit.say(mark("Choose how you know who it is."))
        identity = form.choice("identity", ("document", "register"), missing=missing)
        if record is not None and not form.errors and not _is_same(record, person):
            form.refuse("name", visit.say(MISMATCH))
        if form.errors or record is None:
            return await self._show_identify(visit, question, person, form)
        person.record = record
        person.identity = "document" if identity == "document" else "register"
        person.needs_record = False
        if question.opening is not None:
            mates = [mate.person for mate in question.opening.household]
            return visit.redirect(f"{question.path}/told/{mates.index(person)}")
        return visit.redirect(f"{question.path}/ladder")

    async def _list_persons(self, visit: Visit[Staff], question: Question) -> list[Person]:
        """Return the occasion's household and whoever was added, each once."""
        occasion = self._desk.find_occasion(visit.session.held, question.occasion)
        numbers = occasion.members if occasion else ()
        listed = [
            question.find_person(number) or await self._desk.find_person(number)
            for number in numbers
        ]
        return [*listed, *(one for one in question.persons if one.number not in numbers)]

    async def _show(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        everybody = await self._list_persons(visit, question)
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "persons": [(person.number, person.called) for person in everybody],
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("person.html", context)
        return visit.render("person.html", context)

    async def _show_other(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("person_other.html", context)
        return visit.render("person_other.html", context)

    async def _show_identify(
        self, visit: Visit[Staff], question: Question, person: Person, form: Form
    ) -> Response:
        words = await self._desk.find_words(visit)
        form.values = {name: held for name, held in form.values.items() if name != "bsn"}
        context = {
            "form": form,
            "called": person.called,
            "may_use_bsn": self._desk.may_use_bsn,
            "identities": [(code, visit.say(text)) for code, text in IDENTITIES],
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("identify.html", context)
        return visit.render("identify.html", context)


def _is_same(record: BsnRecord, person: Person) -> bool:
    """Whether the document names who was meant: family name and date of birth."""
    held = Record(record.bsn, record.family_name, record.birth_date)
    try:
        require_same_person(held, person.name, person.birth_date)
    except IdentityMismatchError:
        return False
    return True


def _require_unidentified(visit: Visit[Staff]) -> tuple[Question, Person]:
    question = require_question(visit)
    person = question.find_unidentified()
    if person is None:
        raise NotFoundError
    return question, person


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Person(desk)
    return (
        site.get("/ask/{question:int}/person", screen.show),
        site.post("/ask/{question:int}/person", screen.choose),
        site.get("/ask/{question:int}/other", screen.show_other),
        site.post("/ask/{question:int}/other", screen.add),
        site.get("/ask/{question:int}/identify", screen.show_identify),
        site.post("/ask/{question:int}/identify", screen.identify),
    )
