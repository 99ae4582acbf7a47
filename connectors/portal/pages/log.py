"""*Who asked for my data?*: the resident's own log as a list, with its sum, a picture and filters.

Rules: the page asks nothing of a script; what is looked for is in no address; the standing sentence
that entries may come later is the same for everybody. Source: AVG 12, 15; protocol.md section 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import find_other_person, new_form
from connectors.portal.pages.log_cards import Row, build_points, build_row, group_rows
from connectors.portal.pages.log_reading import Shelf, read_shelf
from connectors.portal.pages.log_results import add_up
from connectors.portal.pages.log_view import (
    FIELDS,
    Filters,
    LogView,
    Start,
    fill_form,
    find_view,
    read_filters,
)
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from datwat.web.forms import Form
from datwat.web.i18n import Speech, mark
from datwat.web.site import Site, Visit

PATH: Final = "/log"
_MOST_DIGITS: Final = 6
_RESULTS: Final = (
    ("", mark("Everything")),
    ("shared", mark("Data was shared")),
    ("not_shared", mark("Nothing was shared")),
    ("recorded", mark("Something was recorded")),
)


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Screen(desk)
    return (site.get(PATH, screen.show), site.post(PATH, screen.filter))


class _Screen:
    def __init__(self, desk: ResidentDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show the page of the list that the address names, or the first.

        What was typed when a session ended is there again, and with whose pages it was typed.
        """
        form = new_form(visit)
        view, page = find_view(visit), _read_page(visit)
        start = view.find_start(page)
        if start is None:
            page, start = 1, Start()
        if not form.values:
            form = fill_form(form, view.filters)
        return await self._render(visit, view, page, start, form)

    async def filter(self, visit: Visit[Resident], form: Form) -> Response:
        """Look for something else, or for everything again."""
        other = find_other_person(visit, form)
        if other is not None:
            return other
        view = find_view(visit)
        filters = Filters() if form.value("all") else read_filters(visit, form)
        if form.errors:
            return await self._render(visit, view, 1, Start(), form)
        view.begin(filters)
        return visit.redirect(PATH)

    async def _render(
        self, visit: Visit[Resident], view: LogView, page: int, start: Start, form: Form
    ) -> Response:
        handle = visit.held.handle
        shelf = await read_shelf(self._desk, handle, view.filters, start)
        view.keep(page, shelf.following, shelf.cards)
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        rows = [build_row(card, words, visit.speech) for card in shelf.cards]
        context = {
            "form": form,
            "whose": find_whose(visit),
            "who": visit.held.viewing,
            "is_filtered": bool(view.filters),
            "is_typed": any(form.value(name) for name in FIELDS),
            "names": list(view.names),
            "results": [(value, visit.say(text)) for value, text in _RESULTS],
            "chosen": _describe(view.filters, visit),
            "page": page,
            "earlier": _link(page - 1) if page > 1 else "",
            "later": _link(page + 1) if shelf.following else "",
            **_build_list(shelf, rows, visit.speech),
        }
        if form.errors:
            return visit.render_refused("log.html", context)
        return visit.render("log.html", context)


def _build_list(shelf: Shelf, rows: Sequence[Row], speech: Speech) -> dict[str, Any]:
    """Return the part of the context that is about the cards themselves."""
    moments = [row.at for row in rows]
    asked = [row for row in rows if row.is_question]
    points = build_points(rows, speech)
    return {
        "groups": group_rows(rows),
        "sum": add_up(shelf.cards),
        "count": len(rows),
        "oldest": min(moments, default=None),
        "newest": max(moments, default=None),
        "points": points if len(points) > 1 else [],
        "ends": [speech.say_date(one.at) for one in _find_ends(asked)],
        "asked": [(speech.say_date(row.at), row.organisation, row.word) for row in asked],
        "looked_at": shelf.looked_at,
        "back_to": shelf.back_to,
        "is_bounded": shelf.is_bounded,
    }


def _find_ends(asked: Sequence[Row]) -> list[Row]:
    """Return the oldest and the newest question."""
    ordered = sorted(asked, key=lambda row: row.at)
    return [ordered[0], ordered[-1]] if ordered else []


def _describe(filters: Filters, visit: Visit[Resident]) -> list[str]:
    """Return what is looked for, each in a few words."""
    found = []
    if filters.since:
        found.append(visit.say(mark("from %(day)s"), day=visit.speech.say_date(filters.since)))
    if filters.until:
        found.append(visit.say(mark("until %(day)s"), day=visit.speech.say_date(filters.until)))
    if filters.organisation:
        found.append(visit.say(mark("organisation: “%(name)s”"), name=filters.organisation))
    if filters.result:
        found.append(visit.say(dict(_RESULTS)[filters.result]).lower())
    return found


def _read_page(visit: Visit[Resident]) -> int:
    typed = visit.query("page", most=_MOST_DIGITS)
    return int(typed) if typed.isascii() and typed.isdigit() else 1


def _link(page: int) -> str:
    return PATH if page == 1 else f"{PATH}?page={page}"
