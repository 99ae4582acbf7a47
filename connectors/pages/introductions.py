"""Introducing somebody to one other partner: a code to hand over, shown once, on a slip to print.

Rule: the code is in the answer only; it is shown to who asked for it, once, and kept nowhere; the
other partner learns nothing before it uses the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import ClientRef, Introduce
from connectors.pages.codes import write_code
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.own import (
    Work,
    attempt,
    build_head,
    find_refused,
    list_people,
    read_mate,
    require_occasion,
    require_work,
    show_refused,
)
from connectors.pages.staff import Staff
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

_KEPT: Final = "introduction"


@dataclass(frozen=True)
class Slip:
    """What is handed over: the code, for whom, until when; whom it is about is for the giver."""

    code: str = field(repr=False)
    partner: str
    called: str = field(repr=False)
    own: str
    until_at: datetime | None


class _Introductions:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask whom, and to which partner."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, visit.new_form())

    async def introduce(self, visit: Visit[Staff], form: Form) -> Response:
        """Introduce, and go on to the code."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        missing = visit.say(mark("Choose to which organisation you introduce."))
        partner = form.choice("partner", [one for one, _ in self._list_partners()], missing=missing)
        if mate is None or form.errors:
            return self._show(visit, work, words, form)
        results = await attempt(
            form,
            visit,
            self._desk.service.introduce(
                Introduce(
                    professional=visit.session.held.professional,
                    occasion=work.occasion.number,
                    clients=(ClientRef(client=mate.person.number),),
                    to=partner,
                )
            ),
        )
        if results is None:
            return self._show(visit, work, words, form)
        refused = find_refused(results.results)
        result = results.results[0]
        if refused is not None or result.introduction is None:
            head = build_head(work.occasion, words)
            return show_refused(visit, refused or result, words, head, work.path)
        own = self._desk.own
        visit.session.held.kept[_KEPT] = Slip(
            code=write_code(result.introduction),
            partner=self._desk.find_name(partner),
            called=mate.called,
            own=own.name if own else "",
            until_at=result.expires_at,
        )
        return visit.redirect(f"{work.path}/code")

    async def show_code(self, visit: Visit[Staff]) -> Response:
        """Show the code: this once."""
        occasion = require_occasion(visit, self._desk)
        slip = visit.session.held.kept.pop(_KEPT, None)
        head = build_head(occasion, await self._desk.find_words(visit))
        if not isinstance(slip, Slip):
            return visit.render("own_code_gone.html", {"head": head})
        return visit.render("own_code.html", {"head": head, "slip": slip})

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "partners": [("", visit.say(mark("Choose …"))), *self._list_partners()],
        }
        if form.errors:
            return visit.render_refused("own_introduce.html", context)
        return visit.render("own_introduce.html", context)

    def _list_partners(self) -> list[tuple[str, str]]:
        return list_partners(self._desk)


def list_partners(desk: StaffDesk, *, can_be_asked: bool = False) -> list[tuple[str, str]]:
    """Return every other partner of the trust list by name, or those only that can be asked."""
    directory = desk.service.exchange.directory
    own = desk.service.exchange.party_id
    found = [
        (one.id, one.name)
        for one in directory.partners.values()
        if one.id != own and (one.gateway_url is not None or not can_be_asked)
    ]
    return sorted(found, key=lambda one: (one[1].casefold(), one[0]))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    screen = _Introductions(desk)
    return (
        site.get("/own/{occasion}/introduce", screen.show),
        site.post("/own/{occasion}/introduce", screen.introduce),
        site.get("/own/{occasion}/code", screen.show_code),
    )
