"""The urgent route: somebody is in danger now. It gives contact, no more, and is reviewed after.

Rules (domain.md 2): an occasion of kind *crisis* is opened and one organisation is asked to call,
for a reason that is typed; the resident reads it, and somebody else looks at it afterwards. Where
the second did not succeed it is done again on the same occasion.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import Member, OpenOccasion, RequestContact
from connectors.errors import IdentityMismatchError, IdentityMissingError
from connectors.pages.desk import StaffDesk
from connectors.pages.household import AGES
from connectors.pages.introductions import list_partners
from connectors.pages.own import UNSENT, derive_path, find_refused, note_unsent, show_refused
from connectors.pages.question import Person
from connectors.pages.staff import Staff
from connectors.pages.typed import MISMATCH, read_line, read_person, read_record, read_text
from datwat.party import clock
from datwat.protocol.acts import Contact, Handler, Motivation, OccasionStatement
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/urgent"
_KEPT: Final = "urgent"
_STRANGER: Final = mark(
    "Your organisation does not know this person yet. Call the other organisation yourself."
)
_CALL: Final = mark(
    "Another system that we need does not answer. Call the organisation yourself now."
)
_LEAST: Final = 20  # signs of a reason, as `least_motivation` of the covenant
# One day less than the covenant allows, so that no clock stands in the way.
_TOLD_WITHIN: Final = timedelta(days=13)


@dataclass(frozen=True)
class Opened:
    """A crisis that was opened, on which nobody was asked yet."""

    occasion: str = field(repr=False)
    client: str = field(repr=False)


@dataclass(frozen=True)
class _Asked:
    purpose: str
    source: str
    phone: str = field(repr=False)
    reason: str = field(repr=False)
    age: str


class _Urgent:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Say what this is, and ask."""
        return await self._show(visit, visit.new_form(), needs_record=False)

    async def send(self, visit: Visit[Staff], form: Form) -> Response:
        """Open the crisis, and pass the request on."""
        asked = await self._read(visit, form)
        person = await read_person(form, visit, self._desk)
        needs_record = person is not None and person.needs_record and self._desk.may_use_bsn
        if person is not None and needs_record and not form.errors:
            self._read_record(visit, form, person)
        if form.errors or person is None:
            return await self._show(visit, form, needs_record=needs_record)
        try:
            return await self._send(visit, person, asked)
        except IdentityMismatchError:
            form.refuse("name", visit.say(MISMATCH))
        except IdentityMissingError:
            form.refuse("number", visit.say(_STRANGER))
        except UNSENT as error:
            note_unsent(form, visit, error, _CALL)
        return await self._show(visit, form, needs_record=needs_record)

    async def _send(self, visit: Visit[Staff], person: Person, asked: _Asked) -> Response:
        staff, words = visit.session.held, await self._desk.find_words(visit)
        held = staff.kept.get(_KEPT)
        if not isinstance(held, Opened) or held.client != person.number:
            opening = _build_opening(staff, person, asked.age)
            opened = await self._desk.service.open_occasion(opening)
            refused = find_refused(opened.results)
            if refused is not None:
                return show_refused(visit, refused, words, None, PATH)
            held = Opened(opening.occasion, person.number)
            staff.kept[_KEPT] = held
            person.forget_record()
        results = await self._desk.service.request_contact(
            RequestContact(
                professional=staff.professional,
                client=Person(person.number).build_ref(),
                occasion=held.occasion,
                purpose=asked.purpose,
                source=asked.source,
                call_back=Contact(role=staff.professional.role, phone=asked.phone),
                motivation=Motivation(purpose=asked.reason),
            )
        )
        refused = find_refused(results.results)
        if refused is not None:
            return show_refused(visit, refused, words, None, PATH)
        staff.kept.pop(_KEPT, None)
        notice = mark("Your request was passed on. Somebody else looks at it afterwards.")
        return visit.redirect(derive_path(held.occasion), notice=visit.say(notice))

    async def _read(self, visit: Visit[Staff], form: Form) -> _Asked:
        missing = visit.say(mark("Write what is going on and why it cannot wait."))
        reason = read_text(form, visit, "reason", missing)
        if len(reason) < _LEAST:
            form.refuse("reason", visit.say(mark("Write a little more: at least 20 signs.")))
        words = await self._desk.find_words(visit)
        missing = visit.say(mark("Choose what the question is for."))
        purpose = form.choice("purpose", words.purpose_ids, missing=missing)
        sources = [source for source, _ in list_partners(self._desk, can_be_asked=True)]
        missing = visit.say(mark("Choose which organisation is asked."))
        source = form.choice("source", sources, missing=missing)
        missing = visit.say(mark("Write the number at which you can be called."))
        phone = read_line(form, visit, "phone", missing)
        missing = visit.say(mark("Choose how old this person is."))
        age = form.choice("age", AGES, missing=missing)
        return _Asked(purpose, source, phone, reason, age)

    def _read_record(self, visit: Visit[Staff], form: Form, person: Person) -> None:
        """Take the BSN of who is not known here: together with the name that was filled in."""
        if not form.value("bsn"):
            sentence = mark(
                "Your organisation has not asked about this person before. Write the BSN."
            )
            form.refuse("bsn", visit.say(sentence))
            return
        record = read_record(form, visit, person.number)
        if record is not None:
            person.record, person.identity, person.needs_record = record, "register", False

    async def _show(self, visit: Visit[Staff], form: Form, *, needs_record: bool) -> Response:
        words = await self._desk.find_words(visit)
        form.values = {name: held for name, held in form.values.items() if name != "bsn"}
        purposes = [
            (one.id, one.title.render(words.code))
            for one in words.list_purposes()
            if any(who.function == self._desk.function for who in one.requesters)
        ]
        choose = ("", visit.say(mark("Choose …")))
        context = {
            "form": form,
            "needs_record": needs_record,
            "purposes": [choose, *sorted(purposes, key=lambda one: one[1].casefold())],
            "sources": [choose, *list_partners(self._desk, can_be_asked=True)],
            "ages": [(age, visit.say(mark("%(age)s years"), age=age)) for age in AGES],
        }
        if form.errors:
            return visit.render_refused("own_urgent.html", context)
        return visit.render("own_urgent.html", context)


def _build_opening(staff: Staff, person: Person, age: str) -> OpenOccasion:
    """Return the crisis under a number of its own, with whoever acts as the one who leads."""
    now = clock.now().replace(microsecond=0)
    professional = staff.professional
    leads = Handler(professional=professional.id, role="coordinator", from_at=now)
    opens = OccasionStatement(
        kind="crisis", team=professional.role, handlers=(leads,), inform_by=now + _TOLD_WITHIN
    )
    stated = {"role": "resident", "source": "observed", "age_band": age}
    member = Member.model_validate({**person.build_members(), **stated})
    number = f"crisis-{now:%Y%m%d-%H%M}-{secrets.token_hex(2)}"
    return OpenOccasion(professional=professional, occasion=number, opens=opens, members=(member,))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Urgent(desk)
    return (site.get(PATH, screen.show), site.post(PATH, screen.send))
