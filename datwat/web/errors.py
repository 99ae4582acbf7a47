"""What somebody reads where a page cannot be shown: what happened, what still works, what to do.

Rules: below /v1/, and to who accepts JSON only, a problem stays a problem (RFC 9457); to everybody
else it is a page; no page tells more than its code allows; that another party is away is said as
such, with when to come back.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from datwat.party.gate import API_PREFIX
from datwat.party.http_out import PeerRefusedError
from datwat.party.problems import (
    CODE_KEY,
    HTTP_ERRORS,
    InternalError,
    RequestRefusedError,
    add_problem_handlers,
    require_row,
)
from datwat.protocol.errors import DatwatError
from datwat.web.i18n import mark
from datwat.web.problems import ProviderUnreachableError, SessionMissingError
from datwat.web.site import Site

# By code: the heading, and sentences. What is not here is told by its status.
_BY_CODE: Final[dict[str, tuple[str, ...]]] = {
    "login_refused": (
        mark("You are not logged in"),
        mark("The login did not succeed. Nothing was shown to anybody."),
        mark("Please try again. Does it happen again? Then call us."),
    ),
    "login_level": (
        mark("Log in with more certainty"),
        mark("This page shows private data. Your way of logging in is not safe enough for that."),
        mark("Log in again. Choose the app with an ID check, for example."),
    ),
    "provider_unreachable": (
        mark("You cannot log in now"),
        mark("The service that you log in with does not answer."),
        mark("Try again in a quarter of an hour."),
    ),
    "cross_site": (
        mark("This form was not sent"),
        mark("We could not see that the form came from you. Nothing was changed."),
        mark("Go back, load the page again and send the form once more."),
    ),
    "form_invalid": (
        mark("This form was not sent"),
        mark("We could not read the form. Nothing was changed."),
        mark("Open the page of the form again. Do not use strange signs."),
    ),
    "peer_restored": (
        mark("This is not possible just now"),
        mark("The system was just repaired. Your data is safe. Nothing was changed."),
        mark("Try again in half a minute."),
    ),
    "body_too_large": (
        mark("This is too much at once"),
        mark("What you sent is too large. Nothing was changed."),
        mark("Go back and make your text shorter."),
    ),
}
# By the code that another party gave, where its words matter to who reads the page.
_BY_PEER: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(
    ("log_damaged", "log_gap"),
    (
        mark("The log is damaged"),
        mark("A part of the log is missing or was changed. So we show nothing of it."),
        mark("Please contact us. The number is at the bottom of this page."),
    ),
)
_AWAY: Final = (
    mark("We cannot fetch this now"),
    mark("Another system that we need does not answer. Your data is safe."),
    mark("Try again in a quarter of an hour."),
)
_BY_STATUS: Final[dict[int, tuple[str, ...]]] = {
    HTTPStatus.FORBIDDEN: (
        mark("This is not possible"),
        mark("You may not do or see this here."),
    ),
    HTTPStatus.NOT_FOUND: (
        mark("This page is not here"),
        mark("There is no page at this address, or it is not yours."),
        mark("Check the address, or start at the first page."),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        mark("This page is not here"),
        mark("This address cannot be opened in this way."),
        mark("Start at the first page."),
    ),
    HTTPStatus.BAD_GATEWAY: _AWAY,
    HTTPStatus.GATEWAY_TIMEOUT: _AWAY,
    HTTPStatus.SERVICE_UNAVAILABLE: (
        mark("It is too busy now"),
        mark("Many people use this page at the moment."),
        mark("Try again in a minute."),
    ),
}
_FAULT: Final = (
    mark("Something went wrong here"),
    mark("This is our mistake. Nothing was given to anybody."),
    mark("Try again later. Does it happen again? Then call us."),
)


class ErrorPages:
    """The pages of a site for what goes wrong."""

    def __init__(self, site: Site[Any]) -> None:
        """Keep the site, which renders them."""
        self._site = site

    def install(self, app: Starlette) -> None:
        """Answer what goes wrong outside /v1/ with a page; call it after the app is built."""
        add_problem_handlers(app)
        as_problem = dict(app.exception_handlers)

        async def on_datwat(request: Request, error: Exception) -> Response:
            if is_program(request):
                return await _call(as_problem[DatwatError], request, error)
            assert isinstance(error, DatwatError)  # noqa: S101 - registered for this class only
            return self.build(request, error)

        async def on_http(request: Request, error: Exception) -> Response:
            if is_program(request):
                return await _call(as_problem[HTTPException], request, error)
            assert isinstance(error, HTTPException)  # noqa: S101 - as above
            kind = HTTP_ERRORS.get(error.status_code, RequestRefusedError)
            return self.build(request, kind())

        app.add_exception_handler(DatwatError, on_datwat)
        app.add_exception_handler(HTTPException, on_http)

    def build(self, request: Request, error: DatwatError) -> Response:
        """Return the page for an error."""
        request.scope[CODE_KEY] = error.code
        visit = self._site.visit(request)
        if isinstance(error, SessionMissingError):
            path = self._site.find_own_path(request.url.path) or "/"
            context: dict[str, Any] = {"next_path": path, "is_kept": False}
            return visit.render("session_ended.html", context, status=HTTPStatus.UNAUTHORIZED)
        status = require_row(error).status
        peer_code = error.peer_code if isinstance(error, PeerRefusedError) else ""
        heading, *sentences = choose_sentences(error.code, status, peer_code)
        context = {
            "heading": heading,
            "sentences": sentences,
            "can_log_in": isinstance(error, ProviderUnreachableError)
            or error.code.startswith("login_"),
            "is_away": peer_code not in _BY_PEER
            and status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT),
        }
        return visit.render("error.html", context, status=status)

    def build_refusal(self, scope: Scope, error: DatwatError) -> Response | None:
        """Return the page for what the gate refuses, or None where a problem is meant."""
        request = Request(scope)
        return None if is_program(request) else self.build(request, error)


def choose_sentences(code: str, status: int, peer_code: str = "") -> tuple[str, ...]:
    """Return heading and sentences, as marked texts, for a code and its status; pure.

    `peer_code` is what another party said where it refused.
    """
    if peer_code in _BY_PEER:
        return _BY_PEER[peer_code]
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code == InternalError.code:
        return _FAULT
    return _BY_STATUS.get(status, _FAULT)


def is_program(request: Request) -> bool:
    """Tell whether a program asks, and not a person's browser."""
    accept = request.headers.get("accept", "")
    return request.url.path.startswith(API_PREFIX) or (
        "json" in accept and "html" not in accept and "*/*" not in accept
    )


async def _call(handler: Any, request: Request, error: Exception) -> Response:  # noqa: ANN401 - Starlette's own type
    response: Response = await handler(request, error)
    return response
