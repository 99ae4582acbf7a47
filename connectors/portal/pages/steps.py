"""A wish in steps: one question per page, then everything once more, then it is done.

Rules: what was answered lies in the session and in the form itself, so that it outlives the session
too, and never in an address; every answer is read again at the end; nothing is chosen beforehand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.pages.acting import WHO, Acting, find_other_person, new_form
from connectors.portal.pages.persons import find_whose
from connectors.portal.resident import Resident
from connectors.portal.said import Page
from datwat.web.forms import Form
from datwat.web.site import Site, Visit

Values = dict[str, str]
FetchedT = TypeVar("FetchedT")
Read = Callable[[Visit[Resident], Form, FetchedT], Values]
Build = Callable[[Visit[Resident], Values, FetchedT], Mapping[str, Any]]
Fetch = Callable[[Visit[Resident]], Awaitable[FetchedT]]
Finish = Callable[[Visit[Resident], Form, Values, FetchedT, Page], Awaitable[Response]]


@dataclass(frozen=True)
class Step(Generic[FetchedT]):
    """One page: the answers that it asks, how they are read, and what it shows beside them.

    `read` returns an answer for each of `names` and notes in the form what is wrong.
    """

    slug: str
    template: str
    build: Build[FetchedT]
    names: tuple[str, ...] = ()
    read: Read[FetchedT] | None = None


class Steps(Generic[FetchedT]):
    """The pages of one wish below `base`; the last step does it.

    `fetch` gets what the steps need from elsewhere, once per page.
    """

    def __init__(
        self,
        base: str,
        steps: Sequence[Step[FetchedT]],
        fetch: Fetch[FetchedT],
        finish: Finish[FetchedT],
        acting: Acting,
    ) -> None:
        """Keep the steps in their order."""
        self._acting = acting
        self._base = base
        self._steps = tuple(steps)
        self._fetch = fetch
        self._finish = finish

    def build_routes(self, site: Site[Resident]) -> tuple[Route, ...]:
        """Return the routes of every step."""
        routes: list[Route] = []
        for place in range(len(self._steps)):
            routes.append(site.get(self._path(place), self._build_show(place)))
            routes.append(site.post(self._path(place), self._build_act(place)))
        return tuple(routes)

    def _path(self, place: int) -> str:
        slug = self._steps[place].slug
        return f"{self._base}/{slug}" if slug else self._base

    def _typed(self, form: Form) -> Values:
        """Return what was typed, by the names of these steps only."""
        names = self._names(len(self._steps))
        return {name: form.value(name) for name in names if name in form.values}

    def _names(self, places: int) -> list[str]:
        return [name for step in self._steps[:places] for name in step.names]

    def _build_show(self, place: int) -> Callable[[Visit[Resident]], Awaitable[Response]]:
        async def show(visit: Visit[Resident]) -> Response:
            form = new_form(visit)
            self._keep(visit, form)
            held = visit.held
            values = held.said.find_draft(held.viewing, self._base)
            form.values = {name: (value,) for name, value in values.items()}
            fetched = await self._fetch(visit)
            for earlier in range(place):
                if not self._is_answered(visit, form, self._steps[earlier], fetched):
                    return visit.redirect(self._path(earlier))
            form.errors.clear()
            return visit.render(
                self._steps[place].template, self._build_context(visit, form, place, fetched)
            )

        return show

    def _build_act(self, place: int) -> Callable[[Visit[Resident], Form], Awaitable[Response]]:
        async def act(visit: Visit[Resident], form: Form) -> Response:
            self._keep(visit, form)
            other = find_other_person(visit, form)
            if other is not None:
                return other
            resumed = await self._acting.resume(visit, form)
            if resumed is not None:
                return self._end(visit, resumed)
            fetched = await self._fetch(visit)
            for earlier in range(place):
                if not self._is_answered(visit, form, self._steps[earlier], fetched):
                    return visit.redirect(self._path(earlier))
            step = self._steps[place]
            if not self._is_answered(visit, form, step, fetched):
                context = self._build_context(visit, form, place, fetched)
                return visit.render_refused(step.template, context)
            return await self._go_on(visit, form, place, fetched)

        return act

    def _keep(self, visit: Visit[Resident], form: Form) -> None:
        """Keep what was typed for whom it was typed about, whatever comes of it."""
        held = visit.held
        for who in held.persons:
            if form.value(WHO) == who:
                draft = held.said.find_draft(who, self._base)
                held.said.keep_draft(who, self._base, {**draft, **self._typed(form)})

    async def _go_on(
        self, visit: Visit[Resident], form: Form, place: int, fetched: FetchedT
    ) -> Response:
        held = visit.held
        values = self._read(visit, form, place + 1, fetched)
        if place + 1 < len(self._steps):
            held.said.keep_draft(held.viewing, self._base, values)
            return visit.redirect(self._path(place + 1))
        context = self._build_context(visit, form, place, fetched)
        page = Page(self._steps[place].template, context)
        return self._end(visit, await self._finish(visit, form, values, fetched, page))

    def _end(self, visit: Visit[Resident], response: Response) -> Response:
        """Forget the answers of a wish that was done."""
        if "location" in response.headers:
            visit.held.said.drop_draft(visit.held.viewing, self._base)
        return response

    def _is_answered(
        self, visit: Visit[Resident], form: Form, step: Step[FetchedT], fetched: FetchedT
    ) -> bool:
        if step.read is None:
            return True
        step.read(visit, form, fetched)
        return not form.errors

    def _read(self, visit: Visit[Resident], form: Form, places: int, fetched: FetchedT) -> Values:
        """Return the answers of the first steps, as they are read."""
        values: Values = {}
        for step in self._steps[:places]:
            if step.read is not None:
                values |= step.read(visit, form, fetched)
        return values

    def _build_context(
        self, visit: Visit[Resident], form: Form, place: int, fetched: FetchedT
    ) -> dict[str, Any]:
        typed = {name: form.value(name) for name in self._names(len(self._steps))}
        step = self._steps[place]
        return {
            "form": form,
            "path": self._path(place),
            "back": self._path(place - 1) if place else "",
            "hidden": [(WHO, visit.held.viewing)]
            + [(name, typed[name]) for name in self._names(place)],
            "whose": find_whose(visit),
            "broken": "",
            "step": place + 1,
            "steps": len(self._steps),
            **step.build(visit, typed, fetched),
        }
