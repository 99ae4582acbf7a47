"""The household of a new occasion: each member, how they are known, what they were told; then open.

Rules (domain.md 6, 11): name and date of birth are compared before a BSN is used; the BSN is asked
only of whom the connector has not met; nothing is sent before the last page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import OpenOccasion
from connectors.client.results import ActResults
from connectors.errors import (
    IdentityMismatchError,
    IdentityMissingError,
    ReferenceTakenError,
)
from connectors.pages.desk import StaffDesk, Words, require_question
from connectors.pages.moments import build_end, build_past
from connectors.pages.own import UNSENT, note_unsent
from connectors.pages.question import Housemate, Opening, Question
from connectors.pages.staff import Staff
from connectors.pages.typed import MISMATCH, REACTIONS, read_conversation, read_person
from connectors.pages.views import build_ladder, build_summary, build_weighing
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Handler, OccasionStatement
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

ROLES: Final = (
    "resident",
    "father",
    "mother",
    "parent",
    "child",
    "son",
    "daughter",
    "pupil",
    "partner",
    "ex_partner",
    "adult_child",
    "carer",
)
# Whom a member of the family may not be looked up through (domain.md 6).
NOT_LOOKED_UP: Final = frozenset({"adult_child", "carer", "ex_partner"})
SOURCES: Final = (
    ("told", mark("Somebody told me")),
    ("register", mark("From a register")),
    ("observed", mark("I saw it myself")),
)
AGES: Final = ("0-11", "12-15", "16-17", "18+")


@dataclass(frozen=True)
class MateView:
    """A member of the household in a list; `place` is their number on the page."""

    place: int
    called: str
    role: str
    source: str
    told_at: datetime | None
    needs_record: bool


class _Household:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show who is in it."""
        question, opening = _require_opening(visit)
        if not opening.household:
            return visit.redirect(f"{question.path}/member")
        return await self._show(visit, question, opening, visit.new_form())

    async def show_member(self, visit: Visit[Staff]) -> Response:
        """Ask who else is in it."""
        question, _ = _require_opening(visit)
        return await self._show_member(visit, question, visit.new_form())

    async def add(self, visit: Visit[Staff], form: Form) -> Response:
        """Take a member up, once name and date of birth fit."""
        question, opening = _require_opening(visit)
        person = await read_person(form, visit, self._desk)
        role = form.choice("role", ROLES, missing=visit.say(mark("Choose who this is.")))
        source = form.choice(
            "source",
            [code for code, _ in SOURCES],
            missing=visit.say(mark("Choose how you know this.")),
        )
        age = form.choice("age", AGES, missing=visit.say(mark("Choose how old this person is.")))
        if person and any(mate.person.number == person.number for mate in opening.household):
            form.refuse("number", visit.say(mark("This person is in the household already.")))
        if form.errors or person is None:
            return await self._show_member(visit, question, form)
        opening.household.append(Housemate.build(person, role, source, age))
        place = len(opening.household) - 1
        if person.needs_record:
            return visit.redirect(f"{question.path}/identify")
        return visit.redirect(f"{question.path}/told/{place}")

    async def remove(self, visit: Visit[Staff], form: Form) -> Response:
        """Take somebody out again."""
        question, opening = _require_opening(visit)
        place = form.value("place")
        if place in map(str, range(len(opening.household))):
            del opening.household[int(place)]
        return visit.redirect(f"{question.path}/household")

    async def show_told(self, visit: Visit[Staff]) -> Response:
        """Ask what a member was told."""
        question, mate = self._require_mate(visit)
        form = visit.new_form()
        if mate.conversation is not None and not form.values:
            form.values = {"told": ("yes",), "what": (mate.conversation.told,)}
            form.values |= {"alternatives": (mate.conversation.alternatives,)}
            form.values |= {"reaction": (mate.conversation.reaction,)}
        return await self._show_told(visit, question, mate, form)

    async def tell(self, visit: Visit[Staff], form: Form) -> Response:
        """Note what a member was told."""
        question, mate = self._require_mate(visit)
        is_told = form.choice("told", ("yes", "no"), missing=visit.say(mark("Choose yes or no.")))
        conversation = read_conversation(form, visit) if is_told == "yes" else None
        if form.errors:
            return await self._show_told(visit, question, mate, form)
        mate.conversation = conversation
        return visit.redirect(f"{question.path}/household")

    async def open(self, visit: Visit[Staff], form: Form) -> Response:
        """Open the occasion: the first thing of it that leaves this page."""
        question, opening = _require_opening(visit)
        if question.find_unidentified() is not None:
            return visit.redirect(f"{question.path}/identify")
        if not opening.household:
            return visit.redirect(f"{question.path}/member")
        results = await self._open(visit, opening, form)
        if results is None:
            return await self._show(visit, question, opening, form)
        if not all(one.weighing.permitted for one in results.results):
            return await self._show_refused(visit, question, results)
        question.occasion, question.opening = opening.number, None
        question.persons = [mate.person for mate in opening.household]
        question.has_chosen = False
        for person in question.persons:
            person.forget_record()
        notice = visit.say(mark("The occasion is open. Each of them sees it in their own log."))
        return visit.redirect(f"{question.path}/person", notice=notice)

    async def _open(self, visit: Visit[Staff], opening: Opening, form: Form) -> ActResults | None:
        """Return what was answered; None, noted on the form, where it could not be sent."""
        try:
            return await self._desk.service.open_occasion(_build_request(opening, visit))
        except ReferenceTakenError:
            form.refuse("number", visit.say(mark("This number is in use. Choose another one.")))
        except (IdentityMismatchError, IdentityMissingError):
            form.refuse("household", visit.say(MISMATCH))
        except UNSENT as error:
            note_unsent(form, visit, error)
        return None

    def _require_mate(self, visit: Visit[Staff]) -> tuple[Question, Housemate]:
        question, opening = _require_opening(visit)
        place = int(visit.request.path_params["place"])
        if place >= len(opening.household):
            raise NotFoundError
        return question, opening.household[place]

    async def _show(
        self, visit: Visit[Staff], question: Question, opening: Opening, form: Form
    ) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "kind": words.name(opening.kind),
            "team": opening.team,
            "number": opening.number,
            "inform_by": opening.inform_by,
            "mates": [_view(place, mate, words, visit) for place, mate in _count(opening)],
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("household.html", context)
        return visit.render("household.html", context)

    async def _show_member(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "summary": build_summary(question, words),
            "roles": [("", visit.say(mark("Choose …"))), *((c, words.name(c)) for c in ROLES)],
            "sources": [(code, visit.say(text)) for code, text in SOURCES],
            "ages": [(age, visit.say(mark("%(age)s years"), age=age)) for age in AGES],
            "ladder": build_ladder(question, "", visit),
        }
        if form.errors:
            return visit.render_refused("member.html", context)
        return visit.render("member.html", context)

    async def _show_told(
        self, visit: Visit[Staff], question: Question, mate: Housemate, form: Form
    ) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "action": visit.request.url.path,
            "called": mate.person.called,
            "reactions": [(code, words.say(f"reaction_{code}")) for code in REACTIONS],
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "talk", visit),
        }
        if form.errors:
            return visit.render_refused("told.html", context)
        return visit.render("told.html", context)

    async def _show_refused(
        self, visit: Visit[Staff], question: Question, results: ActResults
    ) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "summary": build_summary(question, words),
            "weighing": build_weighing(results.results[0].weighing, words),
            "ladder": build_ladder(question, "", visit),
        }
        return visit.render("occasion_refused.html", context)


def _build_request(opening: Opening, visit: Visit[Staff]) -> OpenOccasion:
    professional = visit.session.held.professional
    now = visit.now.replace(microsecond=0)
    leads = Handler(
        professional=professional.id, role="coordinator", from_at=build_past(now.date(), now)
    )
    opens = OccasionStatement.model_validate(
        {
            "kind": opening.kind,
            "team": opening.team,
            "handlers": (leads,),
            "inform_by": build_end(opening.inform_by) if opening.inform_by else None,
        }
    )
    members = tuple(
        mate.build_member(may_look_up=mate.role not in NOT_LOOKED_UP) for mate in opening.household
    )
    return OpenOccasion(
        professional=professional, occasion=opening.number, opens=opens, members=members
    )


def _require_opening(visit: Visit[Staff]) -> tuple[Question, Opening]:
    question = require_question(visit)
    if question.opening is None:
        raise NotFoundError
    return question, question.opening


def _count(opening: Opening) -> list[tuple[int, Housemate]]:
    return list(enumerate(opening.household))


def _view(place: int, mate: Housemate, words: Words, visit: Visit[Staff]) -> MateView:
    source = next(visit.say(text) for code, text in SOURCES if code == mate.source)
    told_at = mate.conversation.at if mate.conversation else None
    needs = mate.person.needs_record
    return MateView(place, mate.person.called, words.name(mate.role), source, told_at, needs)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Household(desk)
    return (
        site.get("/ask/{question:int}/household", screen.show),
        site.get("/ask/{question:int}/member", screen.show_member),
        site.post("/ask/{question:int}/member", screen.add),
        site.post("/ask/{question:int}/remove", screen.remove),
        site.get("/ask/{question:int}/told/{place:int}", screen.show_told),
        site.post("/ask/{question:int}/told/{place:int}", screen.tell),
        site.post("/ask/{question:int}/household", screen.open),
    )
