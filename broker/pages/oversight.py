"""Seeing misuse: the review lists, a look at one entry, findings, and the random sample.

Rules: reviewers and auditors look and record what they found, a data protection officer reads the
lists; a list says why each row is there and judges nobody; before an entry is shown its person's
log says who looked and why; nothing is looked at, counted or drawn by opening a page.
Source: AVG 5(2), 24, 32(1)(d); docs/decisions/0021.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from starlette.responses import Response
from starlette.routing import Route

from broker.exchange.looking import EntryLook, EntryUnknownError
from broker.exchange.reading_entry import LookedEntry
from broker.pages.code_names import CodeNames
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.pages.oversight_port import OversightPort
from broker.pages.oversight_views import (
    OUTCOMES,
    build_card,
    build_finding,
    build_looked,
    build_row,
    read_language,
)
from broker.purposes.naming import Namer
from broker.purposes.roles import LOOKERS, REVIEW_READERS, Role
from broker.transparency.oversight import LISTS
from broker.transparency.oversight_words import say_code, say_list
from broker.transparency.reviewing import (
    FindingOutcome,
    FindingWords,
    SampleEmptyError,
    require_list,
)
from datwat.protocol.acts import Professional
from datwat.protocol.free_text import has_number
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/reviews"
_LONGEST: Final = 2_000
_SHORTEST: Final = 10
_KEPT: Final = "looked"
_ROLE_READ: Final[dict[str, str]] = {"reviewer": "toezichthouder", "auditor": "auditor"}


class Reviews:
    """The pages of this room."""

    def __init__(self, desk: OfficerDesk) -> None:
        """Keep who may, and the service."""
        self._roles = desk.roles
        self._grounds = desk.grounds
        self._port: OversightPort = desk.oversight

    async def show_all(self, visit: Visit[Officer]) -> Response:
        """Show the lists, and of each how it was when it was counted last."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        reviewing = self._port.service.reviewing
        cards = [build_card(visit, code, reviewing.read(code)) for code in LISTS]
        return visit.render("oversight_all.html", {"lists": cards})

    async def show_list(self, visit: Visit[Officer]) -> Response:
        """Show a list as it was counted last, with the button that counts it now."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        code = require_list(str(visit.request.path_params["code"]))
        found = self._port.service.reviewing.read(code)
        title, about = say_list(code, read_language(visit))
        rows = [build_row(visit, self._port, row) for row in found.rows] if found else []
        context = {
            "code_of_list": code,
            "list_title": title,
            "about": about,
            "at": found.at if found else None,
            "is_full": found.is_full if found else False,
            "rows": rows,
            "may_look": visit.session.held.has(*LOOKERS),
            "form": visit.new_form(),
            "draw_form": visit.new_form(),
        }
        return visit.render("oversight_list.html", context)

    async def count(self, visit: Visit[Officer], _form: Form) -> Response:
        """Count a list now."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        code = require_list(str(visit.request.path_params["code"]))
        await self._port.service.reviewing.refresh(code)
        return visit.redirect(f"{PATH}/{code}", notice=visit.say(mark("The list was counted.")))

    async def draw(self, visit: Visit[Officer], _form: Form) -> Response:
        """Draw a random sample, and state the seed of the next one."""
        await self._roles.require_role(visit, *LOOKERS)
        reviewing = self._port.service.reviewing
        try:
            drawn = await reviewing.draw_sample()
        except SampleEmptyError:
            return visit.redirect(
                f"{PATH}/sample",
                notice=visit.say(mark("Nothing was logged since the last draw. Try again later.")),
            )
        await reviewing.refresh("sample")
        said = (
            mark("A sample was drawn. Its seed is in the log.")
            if drawn.drawn_at
            else mark("A seed was stated in the log. Draw when more was logged.")
        )
        return visit.redirect(f"{PATH}/sample", notice=visit.say(said))

    async def ask_look(self, visit: Visit[Officer]) -> Response:
        """Ask why somebody wants to look at an entry."""
        await self._roles.require_role(visit, *LOOKERS)
        return visit.render("oversight_ask.html", self._ask(visit, visit.new_form()))

    def _ask(self, visit: Visit[Officer], form: Form) -> dict[str, object]:
        return {"number": int(visit.request.path_params["number"]), "form": form}

    async def look(self, visit: Visit[Officer], form: Form) -> Response:
        """Write down that somebody looks, then show the entry."""
        role = await self._roles.require_role(visit, *LOOKERS)
        number = int(visit.request.path_params["number"])
        reason = read_text(visit, form, "reason")
        if not form.errors:
            try:
                look = EntryLook(by=build_professional(visit, role), reason=reason)
                await self._port.service.looks.record_entry(number, look)
            except EntryUnknownError:
                form.refuse("reason", visit.say(mark("This entry cannot be looked at.")))
            else:
                visit.session.held.kept[_KEPT] = number
                return visit.redirect(f"{PATH}/entry/{number}/read")
        return visit.render_refused("oversight_ask.html", self._ask(visit, form))

    async def read(self, visit: Visit[Officer]) -> Response:
        """Show the entry that was looked at last; another one asks for a reason first."""
        await self._roles.require_role(visit, *LOOKERS)
        number = int(visit.request.path_params["number"])
        found = self._find_looked(visit, number)
        if found is None:
            return visit.redirect(f"{PATH}/entry/{number}")
        context = await self._show(visit, found, visit.new_form())
        return visit.render("oversight_entry.html", context)

    def _find_looked(self, visit: Visit[Officer], number: int) -> LookedEntry | None:
        """Return the entry that was looked at last, None where it is another one, or ended."""
        if visit.session.held.kept.get(_KEPT) != number:
            return None
        try:
            return self._port.service.looks.require_entry(number)
        except EntryUnknownError:
            return None

    async def _show(
        self, visit: Visit[Officer], found: LookedEntry, form: Form
    ) -> dict[str, object]:
        language, ground = read_language(visit), await self._grounds.fetch()
        namer = Namer(ground.catalogue, ground.texts, language)
        names = CodeNames(namer, ground.texts, visit.say, self._port.name)
        return {
            "entry": build_looked(visit, self._port, found, ground.catalogue.products, names),
            "lists": [(code, say_list(code, language)[0]) for code in LISTS],
            "outcomes": [(one, say_code(one, language)) for one in OUTCOMES],
            "form": form,
        }

    async def find(self, visit: Visit[Officer], form: Form) -> Response:
        """Record what was found about the entry that was looked at."""
        role = await self._roles.require_role(visit, *LOOKERS)
        number = int(visit.request.path_params["number"])
        looked = self._find_looked(visit, number)
        if looked is None:
            return visit.redirect(f"{PATH}/entry/{number}")
        missing = visit.say(mark("Choose one."))
        code = form.choice("list", set(LISTS), missing=missing)
        outcome = form.choice("outcome", set(OUTCOMES), missing=missing)
        note = read_text(visit, form, "note")
        if form.errors:
            context = await self._show(visit, looked, form)
            return visit.render_refused("oversight_entry.html", context)
        by = build_professional(visit, role)
        words = FindingWords(
            by=by.id, role=by.role, partner=looked.partner, entries=(number,), note=note
        )
        await self._port.service.reviewing.add_finding(
            require_list(code), cast("FindingOutcome", outcome), words
        )
        said = visit.say(mark("The finding was recorded."))
        return visit.redirect(f"{PATH}/findings", notice=said)

    async def show_findings(self, visit: Visit[Officer]) -> Response:
        """Show what was found, the newest first."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        found = await asyncio.to_thread(self._port.service.reviewing.list_findings)
        rows = [build_finding(visit, self._port, one) for one in found]
        return visit.render("oversight_findings.html", {"rows": rows})


def build_professional(visit: Visit[Officer], role: Role) -> Professional:
    """Return who looks; the resident reads the role, never the person."""
    return Professional(
        id=visit.session.held.acting.staff, role=_ROLE_READ.get(role.name, role.name)
    )


def read_text(visit: Visit[Officer], form: Form, name: str) -> str:
    """Return what was typed; it refuses too little, too much, and what may be a BSN."""
    text = form.text(
        name,
        most=_LONGEST,
        missing=visit.say(mark("Write why, in a sentence.")),
        too_long=visit.say(mark("Write it shorter: at most 2,000 signs.")),
    )
    if name not in form.errors and len(text.strip()) < _SHORTEST:
        form.refuse(name, visit.say(mark("Write why, in a sentence.")))
    if name not in form.errors and has_number(text):
        form.refuse(name, visit.say(mark("This holds a number that may be a BSN: leave it out.")))
    return text


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this room."""
    one = Reviews(desk)
    return (
        site.get(PATH, one.show_all),
        site.get(f"{PATH}/findings", one.show_findings),
        site.get(f"{PATH}/entry/{{number:int}}", one.ask_look),
        site.post(f"{PATH}/entry/{{number:int}}", one.look),
        site.get(f"{PATH}/entry/{{number:int}}/read", one.read),
        site.post(f"{PATH}/entry/{{number:int}}/read", one.find),
        site.post(f"{PATH}/sample/draw", one.draw),
        site.get(f"{PATH}/{{code}}", one.show_list),
        site.post(f"{PATH}/{{code}}", one.count),
    )
