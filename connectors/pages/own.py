"""The open occasions that somebody of the staff works on, and what their pages have in common.

Rules: an address names an occasion by a token that only this process can make, never by a number
of the partner's own, and one that somebody does not work on is not there; who is told what is read
from what was sent.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from starlette.responses import Response

from connectors.client.own_acts import OwnAct
from connectors.client.own_occasions import OwnOccasion
from connectors.client.pending import find_attempt
from connectors.client.results import ActResult, ActResults
from connectors.errors import IdentityMissingError, PendingChangedError
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.question import Person
from connectors.pages.staff import Staff
from connectors.pages.views import build_weighing
from datwat.party import clock
from datwat.party.http_out import PeerTooSlowError, PeerUnreachableError
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Conversation, PersonPart
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

AWAY: Final = "away"
GONE: Final = "gone"
_STRANGER: Final = mark(
    "Your connector does not know somebody of this household any more. Open a new occasion."
)
_NOT_SENT: Final = mark(
    "Another system that we need does not answer. What you typed is still here."
)
_CHANGED: Final = mark(
    "You changed this after you sent it, and what you sent may have arrived. "
    "Here it is as it was: send it again first. After that you can change it."
)
UNSENT: Final = (PeerUnreachableError, PeerTooSlowError, PendingChangedError)
DoneT = TypeVar("DoneT")
_KEY: Final = secrets.token_bytes(32)
_TOKEN_SIGNS: Final = 16
_RECORDED: Final = ("record_conversation", "declare_special_situation")


@dataclass(frozen=True)
class Mate:
    """Somebody of the household: how they are called, who they are in it, what they were told."""

    place: int
    person: Person = field(repr=False)
    called: str
    role: str
    told_at: datetime | None
    reaction: str
    conversations: tuple[Conversation, ...] = field(repr=False)


@dataclass(frozen=True)
class Work:
    """An open occasion as its pages show it; `path` says nothing about anybody.

    `waits_until` is the end of the term in which its persons are told later, so that nobody of the
    team tells before.
    """

    occasion: OwnOccasion = field(repr=False)
    path: str
    inform_by: datetime | None
    waits_until: datetime | None
    mates: tuple[Mate, ...]


@dataclass(frozen=True)
class Head:
    """What stands above each page of an occasion."""

    path: str
    number: str
    kind: str
    team: str


def derive_token(number: str) -> str:
    """Return the word by which addresses name an occasion, for as long as this process lives."""
    return hmac.digest(_KEY, number.encode(), "sha256").hex()[:_TOKEN_SIGNS]


def derive_path(number: str) -> str:
    """Return where the pages of an occasion lie."""
    return f"/own/{derive_token(number)}"


def require_occasion(visit: Visit[Staff], desk: StaffDesk) -> OwnOccasion:
    """Return the occasion that an address names; raise NotFoundError, also for another's."""
    token = str(visit.request.path_params["occasion"])
    for one in desk.list_occasions(visit.session.held, clock.now()):
        if hmac.compare_digest(token.encode(), derive_token(one.number).encode()):
            return one
    raise NotFoundError


async def require_work(visit: Visit[Staff], desk: StaffDesk) -> tuple[Work, Words]:
    """Return the occasion that an address names, with its household, and the words."""
    words = await desk.find_words(visit)
    return await read_work(require_occasion(visit, desk), desk, words), words


def build_form(visit: Visit[Staff]) -> Form:
    """Return the form of a page, with the place in the household that led to it chosen."""
    form = visit.new_form()
    place = visit.query("person", most=3)
    if place and not form.values:
        form.values = {"person": (place,)}
    return form


def build_head(occasion: OwnOccasion, words: Words) -> Head:
    """Return the head of an occasion's pages."""
    return Head(
        derive_path(occasion.number), occasion.number, words.name(occasion.kind), occasion.team
    )


async def read_work(occasion: OwnOccasion, desk: StaffDesk, words: Words) -> Work:
    """Return an occasion with its household, from what was sent when it was opened and since."""
    held = desk.service.store.find_occasion(occasion.number)
    if held is None:
        raise NotFoundError
    origin = desk.service.exchange.directory.trust.log.origin
    opening = desk.acts.find_opening(held.reference, occasion.opened_at, origin)
    recorded = desk.acts.list_on(held.reference, _RECORDED, origin)
    opens = opening.statement.opens if opening else None
    mates = [
        _build_mate(
            (place, desk.service.store.find_first_number(number)),
            await desk.find_person(number),
            opening,
            recorded,
            words,
        )
        for place, number in enumerate(occasion.members)
    ]
    return Work(
        occasion=occasion,
        path=derive_path(occasion.number),
        inform_by=opens.inform_by if opens else None,
        waits_until=_find_term([*recorded, *((opening,) if opening else ())]),
        mates=tuple(mates),
    )


def _find_term(acts: list[OwnAct]) -> datetime | None:
    """Return until when the persons of an occasion are told later, by the newest declaration."""
    for act in acts:
        opens = act.statement.opens
        stated = act.statement.special_situation or (opens.special_situation if opens else None)
        answers = [one.answer for one in act.persons]
        if stated and all(one is not None and one.weighing.permitted for one in answers):
            return stated.until_at
    return None


def _build_mate(
    known: tuple[int, str],
    person: Person,
    opening: OwnAct | None,
    recorded: list[OwnAct],
    words: Words,
) -> Mate:
    """Return a member at a place of the household, whom acts name by their first number here."""
    place, first = known
    conversations = [
        one.stated.conversation
        for act in recorded
        if act.state == "answered"
        for one in act.persons
        if one.client == first and one.stated.conversation is not None
        if one.answer is not None and one.answer.weighing.permitted
    ]
    named = _find_named(first, opening)
    if named is not None and named.conversation is not None:
        conversations.append(named.conversation)
    told = [one for one in conversations if one.reaction != "not_told"]
    latest = max(told, key=lambda one: one.at, default=None)
    return Mate(
        place=place,
        person=person,
        called=person.called,
        role=words.name(named.role) if named and named.role else "",
        told_at=latest.at if latest else (named.told_at if named else None),
        reaction=words.say(f"reaction_{latest.reaction}") if latest else "",
        conversations=tuple(sorted(conversations, key=lambda one: one.at, reverse=True)),
    )


def _find_named(first: str, opening: OwnAct | None) -> PersonPart | None:
    """Return how somebody was named at the opening; who was reported as wrong is not counted."""
    named = opening.persons if opening else ()
    return next((one.stated for one in named if one.client == first), None)


def read_mate(form: Form, visit: Visit[Staff], work: Work) -> Mate | None:
    """Return whom of the household a form names, by their place, or note that nobody is."""
    places = [str(mate.place) for mate in work.mates]
    chosen = form.choice("person", places, missing=visit.say(mark("Choose about whom it is.")))
    return work.mates[int(chosen)] if chosen else None


def list_people(work: Work) -> list[tuple[str, str, str]]:
    """Return the household as options of a form: place, name, role."""
    return [(str(mate.place), mate.called, mate.role) for mate in work.mates]


def show_refused(
    visit: Visit[Staff], result: ActResult, words: Words, head: Head | None, back: str
) -> Response:
    """Return the page that says what was refused, and what would make it possible."""
    context = {"weighing": build_weighing(result.weighing, words), "head": head, "back": back}
    return visit.render("own_refused.html", context)


async def attempt(form: Form, visit: Visit[Staff], doing: Awaitable[DoneT]) -> DoneT | None:
    """Return what was answered; None, noted on the form, where it could not be sent.

    Whoever typed it sees it again; the same form is sent again as the same message, counted once.
    """
    try:
        return await doing
    except UNSENT as error:
        note_unsent(form, visit, error)
    except IdentityMissingError:  # reported as the wrong person, or not used for a year
        form.refuse(GONE, visit.say(_STRANGER))
    return None


def note_unsent(
    form: Form, visit: Visit[Staff], error: Exception, sentence: str = _NOT_SENT
) -> None:
    """Note on a form that it was not answered, or, as it was first sent, that it changed since."""
    if not isinstance(error, PendingChangedError):
        form.refuse(AWAY, visit.say(sentence))
        return
    found = find_attempt()
    if found is not None and found.first is not None:
        form.values = found.first
    form.refuse(GONE, visit.say(_CHANGED))


def go_on(
    visit: Visit[Staff],
    done: ActResults,
    occasion: OwnOccasion,
    words: Words,
    notice: str,
    *,
    then: str = "",
) -> Response:
    """Go on after an act on an occasion: to its page or `then`, or to what says why not."""
    path = derive_path(occasion.number)
    refused = find_refused(done.results)
    if refused is not None:
        return show_refused(visit, refused, words, build_head(occasion, words), path)
    return visit.redirect(then or path, notice=visit.say(notice))


def find_refused(results: tuple[ActResult, ...]) -> ActResult | None:
    """Return the first result that was not permitted."""
    return next((one for one in results if not one.weighing.permitted), None)
