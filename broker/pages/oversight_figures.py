"""Figures of a month: the public tables as pictures, tables and CSV, and each partner's own use.

Rules: the tables are always the same, and nobody chooses a selection; a month is shown when it is
over; a partner's own figures hold only what it was told itself. Source: domain.md ("Also wanted").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.pages.oversight_port import OversightPort
from broker.pages.oversight_views import read_language
from broker.transparency.figures import Month
from broker.transparency.indicators import LEAST, Cell, IndicatorTable, build_csv
from broker.transparency.months import MonthUncountedError
from broker.transparency.oversight_words import Language, say_code
from datwat.web.headers import build_headers
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/figures"


@dataclass(frozen=True)
class TableView:
    """One table: its bars (label, number or None, words for it) and its rows."""

    title: str
    bars: list[tuple[str, int | None, str]]
    rows: list[list[str]]


@dataclass(frozen=True)
class MonthView:
    """A month: as its address names it, and as people say it."""

    path: str
    name: str


class Figures:
    """The pages of this room."""

    def __init__(self, desk: OfficerDesk) -> None:
        """Keep who may, and the service."""
        self._roles = desk.roles
        self._port: OversightPort = desk.oversight

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show the public tables of a month; the last one that is over where none is named."""
        await self._roles.require_role(visit, *READERS)
        month = find_month(visit)
        language, last = read_language(visit), Month.before(visit.now)
        try:
            tables = (await self._port.service.fetch_indicators(month)).tables
        except MonthUncountedError:
            tables = ()
        following = month.following()
        context = {
            "month": build_month(visit, month),
            "before": build_month(visit, month.previous()),
            "after": build_month(visit, following) if following <= last else None,
            "tables": [_build_table(one, language) for one in tables],
            "partners": self._port.list_partners(),
        }
        return visit.render("oversight_figures.html", context)

    async def download(self, visit: Visit[Officer]) -> Response:
        """Return the public tables as CSV."""
        await self._roles.require_role(visit, *READERS)
        found = await self._port.service.fetch_indicators(find_month(visit))
        language = read_language(visit)
        text = build_csv(found, lambda code: say_code(code, language))
        name = f"datwat-{found.month}.csv"
        return build_file(visit, text.encode(), "text/csv; charset=utf-8", name)

    async def show_use(self, visit: Visit[Officer]) -> Response:
        """Show a partner's own use of a month."""
        await self._roles.require_role(visit, *READERS)
        month, partner = find_month(visit), str(visit.request.path_params["partner"])
        found = await self._port.service.fetch_use(partner, month)
        language = read_language(visit)
        rows = [
            [
                visit.say(mark("Source") if row.as_source else mark("Asking")),
                self._port.say(row.act, language),
                self._port.say(row.purpose, language) if row.purpose else "-",
                *(str(one) for one in (row.asked, row.refused, row.nobody, row.off_hours)),
            ]
            for row in found.rows
        ]
        context = {
            "month": build_month(visit, month),
            "name": self._port.name(partner),
            "rows": rows,
        }
        return visit.render("oversight_use.html", context)


def build_month(visit: Visit[Officer], month: Month) -> MonthView:
    """Return a month in the language of the page."""
    said = visit.speech.say_month(date(month.year, month.month, 1))
    return MonthView(f"{PATH}/{month}", said)


def find_month(visit: Visit[Officer]) -> Month:
    """Return the month that an address names; raise MonthError where it is none that is over."""
    named = visit.request.path_params.get("month")
    return Month.before(visit.now) if named is None else Month.parse(str(named), visit.now)


def build_file(visit: Visit[Officer], content: bytes, kind: str, name: str) -> Response:
    """Return something to keep."""
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(
        content, headers={**build_headers(visit.speech.code), **disposition}, media_type=kind
    )


def _build_table(table: IndicatorTable, language: Language) -> TableView:
    return TableView(
        title=say_code(f"table_{table.code}", language),
        bars=[(_name(cell, language), cell.count, _say_count(cell)) for cell in table.cells],
        rows=[[_name(cell, language), _say_count(cell)] for cell in table.cells],
    )


def _name(cell: Cell, language: Language) -> str:
    return " + ".join(say_code(code, language) for code in cell.codes)


def _say_count(cell: Cell) -> str:
    return f"< {LEAST}" if cell.count is None else str(cell.count)


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this room."""
    one = Figures(desk)
    return (
        site.get(PATH, one.show),
        site.get(f"{PATH}/{{month}}", one.show),
        site.get(f"{PATH}/{{month}}/csv", one.download),
        site.get(f"{PATH}/{{month}}/partner/{{partner}}", one.show_use),
    )
