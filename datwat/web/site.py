"""How a party builds its pages: a visit in, a page or the way to the next one out.

Rules: every page asks for a login unless it says otherwise; everything that changes something is a
form by POST, done once; after it the browser goes on to a page that may be loaded again.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from datwat.party import clock
from datwat.web.forms import PLAIN_LIMITS, Answers, Form, FormLimits, Forms
from datwat.web.headers import build_headers
from datwat.web.i18n import Speech
from datwat.web.pages import Frame, NavItem, Pages, build_query
from datwat.web.problems import SessionMissingError
from datwat.web.sessions import Cookies, Session, Sessions

HeldT = TypeVar("HeldT")
UNPROCESSABLE: Final = 422
_SEE_OTHER: Final = 303
_LONGEST_PATH: Final = 200
_PATH_SIGNS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.-")


class _Number(IntegerConvertor):
    """A number in a path, no longer than any of ours: Python reads none of 5,000 digits."""

    regex = "[0-9]{1,16}"


# In place of Starlette's own, with which such an address is a fault and not an unknown page.
register_url_convertor("int", _Number())


@dataclass(frozen=True)
class Visit(Generic[HeldT]):
    """One request for a page: who it is, in which language, and the ways to answer.

    `then` is what the session held when the request came, see `held`.
    """

    request: Request
    speech: Speech
    now: datetime
    site: Site[HeldT]
    found: Session[HeldT] | None = field(repr=False)
    then: HeldT | None = field(default=None, repr=False)

    @property
    def session(self) -> Session[HeldT]:
        """The session; raise SessionMissingError where nobody is logged in."""
        if self.found is None:
            raise SessionMissingError
        return self.found

    @property
    def held(self) -> HeldT:
        """What the session held when this request came; raise SessionMissingError as `session`.

        A copy, one level deep: what another window sets meanwhile is for the next request, so that
        a page is about one thing from its heading to its end.
        """
        if self.then is None:
            raise SessionMissingError
        return self.then

    def say(self, text: str, **values: str | int) -> str:
        """Return a text of the catalogue in the visitor's language; mark it with `mark` or here."""
        return self.speech.say(text, **values)

    def query(self, name: str, most: int = 200) -> str:
        """Return a member of the address's query, or nothing where it is absent or too long."""
        value = self.request.query_params.get(name, "")
        return value if len(value) <= most else ""

    def new_form(self) -> Form:
        """Return an empty form for this page, or one with what waited here for this person."""
        return self.site.forms.build(self.found, self.request.url.path, self.now)

    def render(
        self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> Response:
        """Return a page."""
        return self.site.render(self, template, context, status)

    def render_refused(self, template: str, context: Mapping[str, Any]) -> Response:
        """Return the page of a form again, with what is wrong beside what was typed."""
        return self.site.render(self, template, context, UNPROCESSABLE)

    def redirect(self, path: str, notice: str = "") -> Response:
        """Go on to a page of ours after a form; `notice` is a sentence that it shows once."""
        if notice and self.found is not None:
            self.found.notices.append(notice)
        return RedirectResponse(path, _SEE_OTHER, build_headers(self.speech.code))


Show = Callable[[Visit[HeldT]], Awaitable[Response]]
Act = Callable[[Visit[HeldT], Form], Awaitable[Response]]


class Site(Generic[HeldT]):
    """The pages of one party, with its sessions; `origin` is the address at which people come.

    `find_nav` says what the menu holds for who is logged in; without it, all that the site has.
    """

    def __init__(
        self,
        pages: Pages,
        sessions: Sessions[HeldT],
        cookies: Cookies,
        origin: str,
        find_nav: Callable[[HeldT], tuple[NavItem, ...]] | None = None,
    ) -> None:
        """Start without a page."""
        self._find_nav = find_nav
        self.pages = pages
        self.sessions = sessions
        self.cookies = cookies
        self.forms = Forms(origin)
        self._shown: list[Route] = []

    def get(self, path: str, show: Show[HeldT], *, needs_login: bool = True) -> Route:
        """Return the route of a page."""

        async def endpoint(request: Request) -> Response:
            request.scope["route"] = route  # its template is what the log names
            visit = self.visit(request)
            if needs_login:
                visit.session  # noqa: B018 - raises where nobody is logged in
            return await show(visit)

        route = Route(path, endpoint, methods=["GET"])
        self._shown.append(route)
        return route

    def post(self, path: str, act: Act[HeldT], *, limits: FormLimits = PLAIN_LIMITS) -> Route:
        """Return the route of a form; `act` runs once for a form that it answers with a redirect.

        `limits` is for a form that holds more than most. What is typed after a session has ended,
        here or (`act` raises SessionMissingError) elsewhere, is kept, and the login leads back to
        it.
        """

        async def endpoint(request: Request) -> Response:
            request.scope["route"] = route
            visit = self.visit(request)
            if visit.found is not None:
                form = await self.forms.read(request, visit.found, limits)
                try:
                    return await self._do_once(visit, form, act)
                except SessionMissingError:
                    # Here too: a page that is asked for before the login would take what waits.
                    self.sessions.lapse(request.cookies.get(self.cookies.session), visit.now)
            return await self._keep_typed(replace(visit, found=None, then=None), limits)

        route = Route(path, endpoint, methods=["POST"])
        return route

    def visit(self, request: Request) -> Visit[HeldT]:
        """Return who asks for a page, logged in or not."""
        now = clock.now()
        try:
            found = self.sessions.require(request.cookies.get(self.cookies.session), now)
        except SessionMissingError:
            found = None
        then = copy.copy(found.held) if found is not None else None
        return Visit(request, self.pages.find_speech(request), now, self, found, then)

    def render(
        self,
        visit: Visit[HeldT],
        template: str,
        context: Mapping[str, Any] | None = None,
        status: int = 200,
    ) -> Response:
        """Return a page with its frame; what it had to tell once is told."""
        session = visit.found
        notices: tuple[str, ...] = ()
        if session is not None:
            notices = tuple(session.notices)
            session.notices.clear()
        request = visit.request
        frame = Frame(
            request.url.path,
            build_query(request),
            session.csrf if session else None,
            session.ends_at if session else None,
            notices,
            self._find_nav(visit.held) if self._find_nav is not None and session else None,
        )
        return self.pages.render(request, template, context, frame=frame, status=status)

    def find_own_path(self, path: str | None) -> str | None:
        """Return the path if it is that of a page of ours, and None for whatever else it may be."""
        if not path or len(path) > _LONGEST_PATH or not path.startswith("/"):
            return None
        if path.startswith("//") or not set(path) <= _PATH_SIGNS:
            return None
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        for route in self._shown:
            if route.matches(scope)[0] is Match.FULL:
                return path
        return None

    def purge(self, now: datetime) -> None:
        """Forget what has ended or waited too long."""
        self.sessions.purge(now)
        self.forms.purge(now)

    async def _do_once(self, visit: Visit[HeldT], form: Form, act: Act[HeldT]) -> Response:
        answers = Answers(visit.session)
        while (first := answers.find(form.id)) is None:
            lock = answers.claim(form.id)
            async with lock:
                if answers.find(form.id) is not None:
                    continue
                response = await act(visit, form)
                answers.keep(form.id, response)
                return response
        return visit.redirect(first)

    async def _keep_typed(self, visit: Visit[HeldT], limits: FormLimits) -> Response:
        token = visit.request.cookies.get(self.cookies.session)
        ended = self.sessions.find_ended(token, visit.now)
        if ended is None:
            raise SessionMissingError
        await self.forms.park(visit.request, ended, visit.now, limits)
        path = self.find_own_path(visit.request.url.path) or "/"
        return visit.render("session_ended.html", {"next_path": path, "is_kept": True}, status=401)


def list_routes(*groups: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes of several screens as one."""
    return tuple(route for group in groups for route in group)
