"""*Toestemmingen*: what was given, withdrawn or is over; giving and withdrawing, equally easily.

Rules: giving is offered only where a purpose rests on it; yes and no weigh the same, nothing is
chosen beforehand; a no is kept nowhere. Source: AVG 7; UAVG 5.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import Acting
from connectors.portal.pages.consent_choices import (
    TERMS,
    Choice,
    build_consent,
    is_in_force,
    list_choices,
)
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.steps import Step, Steps, Values
from connectors.portal.pages.taking_back import TakeBack, Taking
from connectors.portal.pages.typed import build_options
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Wish
from datwat.protocol.own_affairs import OwnConsent, OwnWishes
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

BASE: Final = "/consents"


@dataclass(frozen=True, slots=True)
class Shown:
    """A consent as the page shows it."""

    consent: OwnConsent
    title: str
    what: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Offered:
    """What can be given, as the steps of giving need it."""

    choices: list[Choice] = field(repr=False)

    def find(self, choice_id: str) -> Choice | None:
        """Return a choice."""
        return next((one for one in self.choices if one.id == choice_id), None)

    def require(self, choice_id: str) -> Choice:
        """Return a choice that was read from a form; raise NotFoundError."""
        found = self.find(choice_id)
        if found is None:
            raise NotFoundError
        return found


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Consents(desk)
    giving = Steps(
        f"{BASE}/new",
        (
            Step("", "consent_new.html", _show_choices, ("choice",), _read_choice),
            Step("until", "consent_until.html", _show_choice, ("term",), _read_term),
            Step("check", "consent_check.html", _show_choice, ("answer",), _read_answer),
        ),
        screen.fetch_offered,
        screen.give,
        Acting(desk),
    )
    return (
        site.get(BASE, screen.show),
        *giving.build_routes(site),
        *TakeBack(_WITHDRAWING, desk).build_routes(site),
    )


class Consents:
    """The list, giving, and withdrawing."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what was said, and what can still be said."""
        words, wishes, offered = await self._fetch(visit)
        shown = [describe(one, words) for one in wishes.consents]
        context = {
            "current": [one for one in shown if is_in_force(one.consent, visit.now)],
            "withdrawn": [one for one in shown if one.consent.withdrawn_at is not None],
            "over": [
                one
                for one in shown
                if one.consent.withdrawn_at is None and visit.now >= one.consent.until_at
            ],
            "can_give": any(not one.is_given for one in offered.choices),
            "whose": find_whose(visit),
        }
        return visit.render("consents.html", context)

    async def fetch_offered(self, visit: Visit[Resident]) -> Offered:
        """Return what can be given by who is logged in, about whom is looked at."""
        _, _, offered = await self._fetch(visit)
        return offered

    async def _fetch(self, visit: Visit[Resident]) -> tuple[Words, OwnWishes, Offered]:
        handle = visit.held.handle
        bundle, wishes, involvements = await asyncio.gather(
            self._desk.require_bundle(),
            self._desk.fetch_wishes(handle),
            self._desk.fetch_involvements(handle),
        )
        words = Words.of(bundle, visit.speech.code)
        organisations = self._desk.list_organisations()
        choices = list_choices(words, involvements, organisations, wishes.consents, visit.now)
        return words, wishes, Offered(choices)

    async def give(
        self, visit: Visit[Resident], form: Form, values: Values, offered: Offered, page: Page
    ) -> Response:
        """Record a yes; a no is only answered."""
        choice = offered.require(values["choice"])
        if values["answer"] == "no":
            said = visit.say(mark("You said no. Nothing changes, and we do not keep this."))
            return visit.redirect(BASE, notice=said)
        consent = build_consent(choice, values["term"], visit.now, given_by=visit.held.eyes)
        receipt = Receipt(
            "consent", 0, visit.now, choice.requester_name, choice.purpose, consent.until_at
        )
        return await self._acting.record(visit, form, Wish(consent=consent), receipt, page)


def describe(consent: OwnConsent, words: Words) -> Shown:
    """Return a consent in words."""
    product = consent.product
    return Shown(
        consent,
        words.purpose(consent.purpose),
        words.product(product) if product else "",
        tuple(words.field(product, path) for path in consent.fields) if product else (),
    )


def _show_choices(visit: Visit[Resident], _values: Values, offered: Offered) -> dict[str, Any]:
    sentence = mark("%(requester)s would get something from %(source)s")
    pairs = [
        (
            one.id,
            visit.say(sentence, requester=one.requester_name, source=one.source_name),
            f"{one.title}. {one.product_title}.",
        )
        for one in offered.choices
        if not one.is_given
    ]
    return {"options": build_options(visit, pairs), "has_any": bool(pairs)}


def _show_choice(visit: Visit[Resident], values: Values, offered: Offered) -> dict[str, Any]:
    choice = offered.find(values["choice"])
    until = visit.now + TERMS[values["term"]] if values["term"] in TERMS else None
    return {"choice": choice, "until": until}


def _read_choice(visit: Visit[Resident], form: Form, offered: Offered) -> Values:
    allowed = [one.id for one in offered.choices if not one.is_given]
    sentence = visit.say(mark("Choose what your answer is about."))
    return {"choice": form.choice("choice", allowed, missing=sentence)}


def _read_term(visit: Visit[Resident], form: Form, _offered: Offered) -> Values:
    sentence = visit.say(mark("Choose until when this may be."))
    return {"term": form.choice("term", TERMS, missing=sentence)}


def _read_answer(visit: Visit[Resident], form: Form, _offered: Offered) -> Values:
    sentence = visit.say(mark("Choose yes or no."))
    return {"answer": form.choice("answer", ("yes", "no"), missing=sentence)}


def _find_consent(wishes: OwnWishes, number: int, visit: Visit[Resident]) -> OwnConsent | None:
    held = (one for one in wishes.consents if one.number == number)
    return next((one for one in held if is_in_force(one, visit.now)), None)


def _build_withdrawal(consent: OwnConsent, words: Words) -> tuple[Wish, Receipt, dict[str, Any]]:
    shown = describe(consent, words)
    name = consent.requester_name or ""
    receipt = Receipt("withdrawn", 0, consent.given_at, name, consent.purpose)
    return Wish(withdraws=consent.number), receipt, {"said": shown}


_WITHDRAWING: Final = Taking(
    BASE, "withdraw", "consent_withdraw.html", _find_consent, _build_withdrawal
)
