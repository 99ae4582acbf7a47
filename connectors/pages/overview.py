"""The *integraal klantbeeld*: put together on the spot from the session, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from connectors.pages.desk import StaffDesk, Words
from connectors.pages.involved import Picture, build_picture
from connectors.pages.question import Wanted
from connectors.pages.staff import Staff
from connectors.pages.values import FieldView, build_given
from connectors.pages.views import PersonView, PointerView, build_persons, find_title
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit


@dataclass(frozen=True)
class Given:
    """What one source released about somebody, and for what."""

    source: str
    product: str
    purpose: str
    at: datetime | None
    fields: tuple[FieldView, ...]


@dataclass(frozen=True)
class Client:
    """What is known of one person in this session."""

    called: str
    pointers: tuple[PointerView, ...]
    given: tuple[Given, ...]
    picture: Picture


class _Overview:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show it."""
        words = await self._desk.find_words(visit)
        seen: dict[str, PersonView] = {}
        given: dict[str, list[Given]] = {}
        for question in visit.session.held.questions.values():
            seen |= {one.person: one for one in build_persons(question, self._desk, words)}
            for wanted in question.wanted.values():
                if wanted.result is not None and wanted.result.values is not None:
                    found = _build_given(wanted, words.title(question.purpose), words)
                    given.setdefault(wanted.person.called, []).append(found)
        clients = [
            Client(
                called=called,
                pointers=view.pointers,
                given=tuple(given.get(called, ())),
                picture=build_picture([view], called),
            )
            for called, view in seen.items()
        ]
        household = build_picture(list(seen.values()), visit.say(mark("Together")))
        context = {"clients": clients, "household": household, "ends_at": visit.session.ends_at}
        return visit.render("overview.html", context)


def _build_given(wanted: Wanted, purpose: str, words: Words) -> Given:
    assert wanted.result is not None  # noqa: S101 - who calls looked
    return Given(
        source=wanted.pointer.source_name or "",
        product=find_title(words, wanted.edge.product),
        purpose=purpose,
        at=wanted.answered_at,
        fields=build_given(wanted.result, wanted.edge.product, words),
    )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get("/overview", _Overview(desk).show),)
