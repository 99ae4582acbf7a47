"""Taking back what was said: a page that says what it means, one button, a receipt.

Rule: what is not there (any more), and what is another's, is one answer: this page is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import WHO, Acting, find_other_person, new_form
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Wish
from datwat.protocol.own_affairs import OwnWishes
from datwat.web.forms import Form
from datwat.web.site import Site, Visit

FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class Taking(Generic[FoundT]):
    """One kind of wish that can be taken back: the page `base/<number>/verb`.

    `find` returns what a number names, or None; `build` the wish that takes it back, its receipt,
    and what the page shows.
    """

    base: str
    verb: str
    template: str
    find: Callable[[OwnWishes, int, Visit[Resident]], FoundT | None]
    build: Callable[[FoundT, Words], tuple[Wish, Receipt, dict[str, Any]]]


class TakeBack(Generic[FoundT]):
    """The page of one kind of wish."""

    def __init__(self, kind: Taking[FoundT], desk: ResidentDesk) -> None:
        """Keep what differs."""
        self._kind = kind
        self._desk = desk
        self._acting = Acting(desk)

    def build_routes(self, site: Site[Resident]) -> tuple[Route, ...]:
        """Return both routes of the page."""
        path = f"{self._kind.base}/{{number:int}}/{self._kind.verb}"
        return (site.get(path, self.show), site.post(path, self.take_back))

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what is taken back, and what that does."""
        form = new_form(visit)
        _, _, page = await self._fetch(visit, form)
        return visit.render(page.template, page.context)

    async def take_back(self, visit: Visit[Resident], form: Form) -> Response:
        """Take it back, now."""
        other = find_other_person(visit, form)
        if other is not None:
            return other
        resumed = await self._acting.resume(visit, form)
        if resumed is not None:
            return resumed
        wish, receipt, page = await self._fetch(visit, form)
        return await self._acting.record(visit, form, wish, receipt, page)

    async def _fetch(self, visit: Visit[Resident], form: Form) -> tuple[Wish, Receipt, Page]:
        held = visit.held
        number = visit.request.path_params["number"]
        wishes = await self._desk.fetch_wishes(held.handle)
        found = self._kind.find(wishes, number, visit)
        if found is None:
            raise NotFoundError
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        wish, receipt, context = self._kind.build(found, words)
        base = {
            "form": form,
            "path": visit.request.url.path,
            "back": self._kind.base,
            "hidden": [(WHO, held.viewing)],
            "broken": "",
            "whose": find_whose(visit),
            **context,
        }
        return wish, receipt, Page(self._kind.template, base)
