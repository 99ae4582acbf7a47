"""Recording what somebody of the household said: a consent or no-objection, an objection.

Rules (domain.md 8, 9): a consent is recorded in the form that the law of the purpose asks, by who
gave it, and ends; an objection is discussed first and recorded in the person's own words.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import RecordConsent, RecordObjection
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.introductions import list_partners
from connectors.pages.moments import build_end, build_past, read_date
from connectors.pages.own import (
    Work,
    attempt,
    build_form,
    build_head,
    go_on,
    list_people,
    read_mate,
    require_work,
)
from connectors.pages.staff import Staff
from connectors.pages.typed import read_text
from connectors.pages.views import find_title
from datwat.protocol.acts import Consent, Objection
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

KINDS = (
    ("explicit", mark("Yes to sharing"), mark("The person said yes to this, and knows to what.")),
    ("no_objection", mark("No objection"), mark("The person has nothing against it, in writing.")),
)
GIVERS = (
    ("self", mark("The person")),
    ("representative", mark("Who decides for the person")),
    ("both", mark("Both of them")),
)


class _Consents:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask who said yes to what."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, build_form(visit))

    async def record(self, visit: Visit[Staff], form: Form) -> Response:
        """Record it."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        consent = self._read(visit, words, form)
        if mate is None or consent is None or form.errors:
            return self._show(visit, work, words, form)
        request = RecordConsent(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            client=mate.person.number,
            consent=consent,
        )
        results = await attempt(form, visit, self._desk.service.record_consent(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("It is recorded. The person sees it, and can take it back at any time.")
        return go_on(visit, results, work.occasion, words, notice)

    def _read(self, visit: Visit[Staff], words: Words, form: Form) -> Consent | None:
        kinds = [code for code, _, _ in KINDS]
        kind = form.choice("kind", kinds, missing=visit.say(mark("Choose what was said.")))
        missing = visit.say(mark("Choose what the question is for."))
        purpose = form.choice("purpose", words.purpose_ids, missing=missing)
        product = self._read_any(form, "product", words.bundle.view.products)
        source = self._read_any(form, "source", [one for one, _ in list_partners(self._desk)])
        givers = [code for code, _ in GIVERS]
        giver = form.choice("giver", givers, missing=visit.say(mark("Choose who said it.")))
        missing = visit.say(mark("Choose whether it is in writing."))
        written = form.choice("written", ("yes", "no"), missing=missing)
        given = read_date(form, "given", visit, is_past=True)
        until = read_date(form, "until", visit)
        if form.errors or given is None or until is None:
            return None
        return Consent.model_validate(
            {
                "kind": kind,
                "purpose": purpose,
                "product": product,
                "source": source,
                "given_by": giver,
                "written": written == "yes",
                "given_at": build_past(given, visit.now),
                "until_at": build_end(until),
            }
        )

    def _read_any(self, form: Form, name: str, allowed: object) -> str | None:
        """Return one of those that may be left open; None means all within the purpose."""
        chosen = form.value(name)
        return chosen if chosen and chosen in allowed else None  # type: ignore[operator]

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        everything = ("", visit.say(mark("Everything of this purpose")))
        everybody = ("", visit.say(mark("Every organisation of this purpose")))
        products = [(one, find_title(words, one)) for one in words.bundle.view.products]
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "kinds": [(code, visit.say(text), visit.say(hint)) for code, text, hint in KINDS],
            "purposes": list_purposes(visit, words),
            "products": [everything, *sorted(products, key=lambda one: one[1].casefold())],
            "sources": [everybody, *list_partners(self._desk)],
            "givers": [(code, visit.say(text)) for code, text in GIVERS],
        }
        if form.errors:
            return visit.render_refused("own_consent.html", context)
        return visit.render("own_consent.html", context)


class _Objections:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask who objects to what."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, build_form(visit))

    async def record(self, visit: Visit[Staff], form: Form) -> Response:
        """Record it."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        purposes = ["all", *words.purpose_ids]
        missing = visit.say(mark("Choose what the person objects to."))
        purpose = form.choice("purpose", purposes, missing=missing)
        missing = visit.say(mark("Write what the person has against it."))
        reason = read_text(form, visit, "reason", missing)
        made = read_date(form, "made", visit, is_past=True)
        if mate is None or made is None or form.errors:
            return self._show(visit, work, words, form)
        objection = Objection(
            purpose=None if purpose == "all" else purpose,
            reason=reason,
            made_at=build_past(made, visit.now),
        )
        request = RecordObjection(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            client=mate.person.number,
            objection=objection,
        )
        results = await attempt(form, visit, self._desk.service.record_objection(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("The objection is recorded. An officer answers the person within a month.")
        return go_on(visit, results, work.occasion, words, notice)

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        choose, *purposes = list_purposes(visit, words)
        everything = ("all", visit.say(mark("Every purpose that allows an objection")))
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "purposes": [choose, everything, *purposes],
        }
        if form.errors:
            return visit.render_refused("own_objection.html", context)
        return visit.render("own_objection.html", context)


def list_purposes(visit: Visit[Staff], words: Words) -> list[tuple[str, str]]:
    """Return the purposes by name, for a list to choose from."""
    found = [(one.id, one.title.render(words.code)) for one in words.list_purposes()]
    ordered = sorted(found, key=lambda one: one[1].casefold())
    return [("", visit.say(mark("Choose …"))), *ordered]


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    consents, objections = _Consents(desk), _Objections(desk)
    return (
        site.get("/own/{occasion}/consent", consents.show),
        site.post("/own/{occasion}/consent", consents.record),
        site.get("/own/{occasion}/objection", objections.show),
        site.post("/own/{occasion}/objection", objections.record),
    )
