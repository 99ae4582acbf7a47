"""Downloads: one's own log on paper, all of one's data for a program, and the family's own copy.

Rules: each is the answer to a form, so that nothing about anybody stands in an address; a file has
a plain name and is kept by no cache; what is typed for the family's copy goes into the file and is
kept nowhere. A log that is too long for one document is offered in parts by period.
Source: AVG 12, 15, 20; domain.md ("the resident's side").
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.errors import PortalError
from connectors.portal.pages.acting import find_other_person, new_form
from connectors.portal.pages.paper.family_document import Typed, build_family_document
from connectors.portal.pages.paper.framing import Setting
from connectors.portal.pages.paper.gathering import (
    MOST_IN_DOCUMENT,
    Period,
    fetch_affairs,
    fetch_log,
    split_days,
)
from connectors.portal.pages.paper.log_document import Taken, build_log_document
from connectors.portal.pages.paper.own_data import (
    FamilyCopy,
    Maker,
    build_involvements,
    encode_file,
    encode_own_data,
)
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.typed import read_days
from connectors.portal.resident import Resident
from datwat.party.http_out import PeerError
from datwat.protocol.errors import ProtocolError
from datwat.web.dates import find_day
from datwat.web.forms import Form
from datwat.web.headers import build_headers
from datwat.web.i18n import mark
from datwat.web.paper.printing import Printing
from datwat.web.problems import PaperBusyError, PaperFailedError
from datwat.web.site import Site, Visit

PATH: Final = "/downloads"
FAMILY_PATH: Final = "/downloads/family"
PDF: Final = "application/pdf"
JSON: Final = "application/json"
LONGEST_NAME: Final = 120
LONGEST_TEXT: Final = 5_000
_PARTS: Final = "parts"
_UNAVAILABLE: Final = 503
_WHAT: Final = ("pdf", "json")
_TOO_LONG: Final = mark("Make this text shorter: at most 5,000 signs.")


@dataclass(frozen=True)
class Offer:
    """One part of a log that is too long for one document: its days, and how many entries."""

    value: str
    period: str
    count: int


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Downloads(desk, Printing())
    return (
        site.get(PATH, screen.show),
        site.post(PATH, screen.send),
        site.get(FAMILY_PATH, screen.show_family),
        site.post(FAMILY_PATH, screen.send_family),
    )


class Downloads:
    """Makes the files of who is logged in."""

    def __init__(self, desk: ResidentDesk, printing: Printing) -> None:
        """Keep the parts."""
        self._desk = desk
        self._printing = printing

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what can be downloaded."""
        return visit.render("downloads.html", _build_context(visit, new_form(visit)))

    async def send(self, visit: Visit[Resident], form: Form) -> Response:
        """Answer the file that was asked for."""
        if (other := find_other_person(visit, form)) is not None:
            return other
        what = form.choice("what", _WHAT, missing=visit.say(mark("Choose what you want.")))
        period = _read_period(visit, form)
        if form.errors:
            return visit.render_refused("downloads.html", _build_context(visit, form))
        if what == "json":
            return await self._answer_data(visit)
        return await self._answer_log(visit, form, period)

    async def show_family(self, visit: Visit[Resident]) -> Response:
        """Show the form of the family's own copy, with what waited here after a login."""
        form = new_form(visit)
        return visit.render("downloads_family.html", _build_context(visit, form))

    async def send_family(self, visit: Visit[Resident], form: Form) -> Response:
        """Answer the family's own copy, with what was typed for it."""
        if (other := find_other_person(visit, form)) is not None:
            return other
        typed = Typed(
            form.text(
                "for_whom",
                most=LONGEST_NAME,
                too_long=visit.say(mark("Make this line shorter: at most 120 signs.")),
            ),
            form.text("agreed", most=LONGEST_TEXT, too_long=visit.say(_TOO_LONG)),
            form.text("remarks", most=LONGEST_TEXT, too_long=visit.say(_TOO_LONG)),
        )
        what = form.choice("what", _WHAT, missing=visit.say(mark("Choose what you want.")))
        if form.errors:
            return visit.render_refused("downloads_family.html", _build_context(visit, form))
        try:
            return await self._answer_family(visit, typed, what)
        # What was typed must not be lost with it.
        except (PeerError, ProtocolError, PortalError, PaperBusyError, PaperFailedError):
            context = {**_build_context(visit, form), "is_broken": True}
            return visit.render("downloads_family.html", context, status=_UNAVAILABLE)

    async def _answer_family(self, visit: Visit[Resident], typed: Typed, what: str) -> Response:
        found = await self._desk.fetch_involvements(visit.held.handle)
        if what == "json":
            copy = FamilyCopy(
                v=1,
                type="family_copy",
                made_at=visit.now,
                made_by=_find_maker(visit),
                eyes=visit.held.eyes,
                for_whom=typed.for_whom,
                agreed=typed.agreed,
                remarks=typed.remarks,
                involvements=build_involvements(found),
            )
            data = encode_file(copy)
            return answer_file(visit, data, JSON, build_name(visit, "family-copy", "json"))
        setting = await self._build_setting(visit)
        made = await self._printing.build_pdf(build_family_document(setting, found, typed))
        return answer_file(visit, made, PDF, build_name(visit, "family-copy", "pdf"))

    async def _answer_data(self, visit: Visit[Resident]) -> Response:
        affairs = await fetch_affairs(self._desk, visit.held.handle)
        data = await asyncio.to_thread(
            encode_own_data,
            affairs,
            made_by=_find_maker(visit),
            eyes=visit.held.eyes,
            made_at=visit.now,
        )
        return answer_file(visit, data, JSON, build_name(visit, "own-data", "json"))

    async def _answer_log(self, visit: Visit[Resident], form: Form, period: Period) -> Response:
        """Answer the document, or, where it would be too long, offer it in parts by period."""
        log = await fetch_log(self._desk, visit.held.handle)
        cards = [card for card in log.cards if period.holds(card)]
        days = {find_day(card.at) for card in cards}
        if len(cards) > MOST_IN_DOCUMENT and len(days) > 1:
            say_period = visit.speech.say_period
            parts = [
                Offer(f"{since}/{until}", say_period(since, until), count)
                for since, until, count in split_days(cards)
            ]
            context = {**_build_context(visit, form), _PARTS: parts, "count": len(cards)}
            return visit.render_refused("downloads.html", context)
        contacts = {one.id: one.contact for one in self._desk.list_organisations()}
        setting = await self._build_setting(visit)
        taken = Taken(log, cards, contacts)
        document = await asyncio.to_thread(build_log_document, setting, taken)
        made = await self._printing.build_pdf(document)
        return answer_file(visit, made, PDF, build_name(visit, "own-log", "pdf"))

    async def _build_setting(self, visit: Visit[Resident]) -> Setting:
        return Setting.of(
            visit.site.pages,
            await self._desk.require_bundle(),
            visit.speech.code,
            visit.now,
            is_represented=visit.held.viewing == "represented",
        )


def answer_file(visit: Visit[Resident], content: bytes, kind: str, name: str) -> Response:
    """Return a file to keep, which no cache keeps and no page frames."""
    headers = {
        **build_headers(visit.speech.code),
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(content, 200, headers, kind)


def build_name(visit: Visit[Resident], what: str, ending: str) -> str:
    """Return a file name that says nothing about anybody: what it is, and the day."""
    return f"{what}-{find_day(visit.now).isoformat()}.{ending}"


def _build_context(visit: Visit[Resident], form: Form) -> Mapping[str, Any]:
    held = visit.held
    return {
        "form": form,
        "whose": find_whose(visit),
        "who": held.viewing,
        _PARTS: [],
        "count": 0,
        "is_broken": False,
    }


def _find_maker(visit: Visit[Resident]) -> Maker:
    return Maker(name=visit.site.pages.site.organisation)


def _read_period(visit: Visit[Resident], form: Form) -> Period:
    """Return the days of a form: those of the part that was pressed, else those typed."""
    pressed = form.value("part")
    if pressed:
        since, _, until = pressed.partition("/")
    else:
        since, until = form.value("since"), form.value("until")
    return Period(*read_days(visit, form, since, until))
