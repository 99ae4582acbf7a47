"""The way in and out: begin a login, take somebody back, log out here and at the provider.

Rules: a login counts in the browser that began it (its state is sealed in that browser's cookie); a
session gets a new token at each login; the way on is a page of ours or the home page; whoever logs
out is out, whatever broker and provider say. What a login says about somebody is read by their
party, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from datwat.party import clock
from datwat.party.telemetry import get_logger
from datwat.protocol.errors import DatwatError
from datwat.web.forms import Form
from datwat.web.provider import Provider
from datwat.web.sessions import LOGIN_TIME, LONGEST, Logins
from datwat.web.site import Site, Visit

HeldT = TypeVar("HeldT")
NEXT: Final = "next"
LOGGED_OUT: Final = "/logged-out"
CALLBACK: Final = "/login/callback"
_SEE_OTHER: Final = 303

_log = get_logger("login")


@dataclass(frozen=True)
class Entrance(Generic[HeldT]):
    """What a party does with somebody who is let in or goes.

    `enter` reads verified claims and returns what the session holds, and who it is (of which only
    an HMAC is kept); it raises what lets nobody in. `leave` undoes what `enter` did elsewhere.
    """

    enter: Callable[[Mapping[str, Any], datetime], Awaitable[tuple[HeldT, str]]]
    leave: Callable[[HeldT], Awaitable[None]]
    home_page: str


class Login(Generic[HeldT]):
    """The routes of login and logout of one party."""

    def __init__(self, site: Site[HeldT], provider: Provider, entrance: Entrance[HeldT]) -> None:
        """Keep the parts; nobody is logged in."""
        self._site = site
        self._provider = provider
        self._entrance = entrance
        self._logins = Logins()

    def build_routes(self) -> tuple[Route, ...]:
        """Return the routes, which a browser follows."""
        return (
            Route("/login", self.begin, methods=["GET"]),
            Route(CALLBACK, self.take_back, methods=["GET"]),
            self._site.post("/logout", self.log_out),
            self._site.get(LOGGED_OUT, self.show_logged_out, needs_login=False),
            Route("/leave", self.leave_quickly, methods=["GET"]),
        )

    async def begin(self, request: Request) -> Response:
        """Send somebody to the identity provider."""
        state: dict[str, Any] = {}
        request.scope["session"] = state
        response = await self._provider.redirect(request)
        path = self._site.find_own_path(request.query_params.get(NEXT))
        if path is not None:
            state[NEXT] = path
        cookies = self._site.cookies
        token = self._logins.seal(state, clock.now())
        cookies.set(response, cookies.login, token, LOGIN_TIME.seconds)
        return response

    async def take_back(self, request: Request) -> Response:
        """Let in who comes back from the provider, in a session of a new token."""
        now = clock.now()
        cookies = self._site.cookies
        state = self._logins.open(request.cookies.get(cookies.login), now)
        path = self._site.find_own_path(state.pop(NEXT, None)) or self._entrance.home_page
        request.scope["session"] = state
        claims = await self._provider.fetch_claims(request, now)
        held, who = await self._entrance.enter(claims, now)
        earlier = self._site.visit(request)
        if earlier.found is not None:  # of whoever used this browser before: it ends as by a logout
            await self.end(earlier)
        opened = self._site.sessions.open(held, who, now)
        response = RedirectResponse(path, _SEE_OTHER)
        cookies.set(response, cookies.session, opened, int(LONGEST.total_seconds()))
        cookies.set(response, cookies.login, "", 0)
        return response

    async def log_out(self, visit: Visit[HeldT], _form: Form) -> Response:
        """End the session here, then elsewhere, then at the provider."""
        await self.end(visit)
        path = await self._provider.find_logout_url() or LOGGED_OUT
        response = visit.redirect(path)
        self._site.cookies.set(response, self._site.cookies.session, "", 0)
        return response

    async def show_logged_out(self, visit: Visit[HeldT]) -> Response:
        """Say that it is done."""
        return visit.render("logged_out.html")

    async def leave_quickly(self, request: Request) -> Response:
        """End the session and go to a page that shows nothing of ours.

        By a link, so that it works at once; one on another site ends nobody's session.
        """
        visit = self._site.visit(request)
        response = visit.redirect(self._site.pages.site.exit_url)
        if request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
            if visit.found is not None:
                await self.end(visit)
            self._site.cookies.set(response, self._site.cookies.session, "", 0)
        return response

    async def end(self, visit: Visit[HeldT]) -> None:
        """End a session, here first; that it could not be ended elsewhere is noted, not told."""
        self._site.sessions.end(visit.request.cookies.get(self._site.cookies.session))
        try:
            await self._entrance.leave(visit.session.held)
        except DatwatError as error:
            _log.warning("session_not_ended_elsewhere", code=error.code)
