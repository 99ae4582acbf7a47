"""The portal's HTTP: the login by redirect, and a small JSON API for who is logged in.

Rules: the cookie is opaque, HttpOnly, SameSite; what changes or reads anything is a POST with JSON
and the session's own token in a header, so that no other site can do it; nothing about a person in
a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.portal.desk import Handles, ResidentDesk
from connectors.portal.errors import CrossSiteError, NotRepresentedError
from connectors.portal.login import Provider
from connectors.portal.own_proof import Asked
from connectors.portal.sessions import LOGIN_TIME, LONGEST, Logins, Session, Sessions
from connectors.portal.settings import PortalSettings
from datwat.party import clock
from datwat.party.http_in import build_json_response
from datwat.party.http_out import PeerError
from datwat.party.openapi import Operation
from datwat.party.problems import InputInvalidError
from datwat.party.telemetry import get_logger
from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import Page, Wish
from datwat.protocol.answers import Weighing
from datwat.protocol.canonical import decode_strict
from datwat.protocol.completeness import MAX_QUARTERS, CompletenessBundle, build_copy
from datwat.protocol.values import Moment, Quarter, Value

CSRF_HEADER: Final = "x-csrf-token"
_STATUSES: Final = (401, 403, 404, 502, 504)
Who = Literal["self", "represented"]
ModelT = TypeVar("ModelT", bound=BaseModel)
_log = get_logger("portal")


class Health(Value):
    """That the process answers."""

    status: Literal["ok"]


class Me(Value):
    """Who may be looked at in this session, until when, and the token that a POST must carry."""

    persons: tuple[Who, ...]
    csrf_token: str = Field(repr=False)
    ends_at: Moment


class AskLog(Value):
    """Which page of whose log."""

    person: Who = "self"
    page: Page = Page()


class AskProof(Value):
    """Of whose log and of which quarters (none: all with something in them), and for whom.

    What is made for somebody else has no keys: it shows the entries, and lets nobody follow more.
    """

    person: Who = "self"
    quarters: tuple[Quarter, ...] = Field(default=(), max_length=MAX_QUARTERS)
    made_for: Literal["self", "somebody_else"] = "self"


class AskWish(Value):
    """Consent, withdrawal or objection, of whom."""

    person: Who = "self"
    wish: Wish


class WishAnswer(Value):
    """What was decided about a wish, and the number of its entry in the log."""

    weighing: Weighing
    entry: int = Field(ge=0)
    log_size: int = Field(ge=1)


class LoggedOut(Value):
    """That the session has ended."""

    status: Literal["logged_out"]


class PortalApi:
    """The routes of one portal process."""

    def __init__(self, settings: PortalSettings, provider: Provider, desk: ResidentDesk) -> None:
        """Keep the parts; nobody is logged in."""
        self._settings = settings
        self._provider = provider
        self._desk = desk
        self.sessions = Sessions()
        self._logins = Logins()
        prefix = "__Host-" if settings.is_secure else ""
        self._session_cookie = f"{prefix}datwat-session"
        self._login_cookie = f"{prefix}datwat-login"

    def build_routes(self) -> Sequence[Route]:
        """Return the two routes of the login, which a browser follows."""
        return (
            Route("/login", self.login, methods=["GET"]),
            Route("/login/callback", self.callback, methods=["GET"]),
        )

    def build_operations(self) -> tuple[Operation, ...]:
        """Return the JSON API."""
        return (
            Operation(
                path="/v1/me",
                operation_id="getMe",
                summary="Tell who is logged in, and give the token for the POSTs.",
                endpoint=self.me,
                answer=Me,
                method="GET",
                statuses=(401,),
            ),
            Operation(
                path="/v1/me/access-log",
                operation_id="readAccessLog",
                summary="Read a page of one's own log, with its proofs.",
                endpoint=self.access_log,
                answer=AccessLog,
                request=AskLog,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/me/access-log/proof",
                operation_id="readAccessLogProof",
                summary="Get the file by which anybody can check that nothing is missing.",
                endpoint=self.access_log_proof,
                answer=CompletenessBundle,
                request=AskProof,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/me/wishes",
                operation_id="recordWish",
                summary="Consent, withdraw, or object.",
                endpoint=self.wish,
                answer=WishAnswer,
                request=AskWish,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/logout",
                operation_id="logOut",
                summary="End the session, here and at the broker.",
                endpoint=self.logout,
                answer=LoggedOut,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/health",
                operation_id="getHealth",
                summary="Tell that the process answers.",
                endpoint=health,
                answer=Health,
                method="GET",
                statuses=(),
            ),
        )

    async def login(self, request: Request) -> Response:
        """Send the resident to the identity provider."""
        state: dict[str, Any] = {}
        request.scope["session"] = state
        response = await self._provider.redirect(request)
        token = self._logins.seal(state, clock.now())
        self._set_cookie(response, self._login_cookie, token, LOGIN_TIME.seconds)
        return response

    async def callback(self, request: Request) -> Response:
        """Take the resident back, look them up blindly, and open a session."""
        now = clock.now()
        token = request.cookies.get(self._login_cookie)
        request.scope["session"] = self._logins.open(token, now)
        identity = await self._provider.fetch_identity(request, now)
        handles = await self._desk.open_session(identity)
        self.sessions.end(request.cookies.get(self._session_cookie))
        opened = self.sessions.open(handles.own, handles.represented, now)
        response = RedirectResponse(self._settings.home_page, status_code=303)
        self._set_cookie(response, self._session_cookie, opened, int(LONGEST.total_seconds()))
        self._set_cookie(response, self._login_cookie, "", 0)
        return response

    async def me(self, request: Request) -> Response:
        """Tell who may be looked at, and give the token for the POSTs."""
        session = self._require_session(request)
        persons: tuple[Who, ...] = ("self", "represented") if session.represented else ("self",)
        me = Me(persons=persons, csrf_token=session.csrf, ends_at=session.ends_at)
        return build_json_response(me)

    async def access_log(self, request: Request) -> Response:
        """Answer a page of the log."""
        session = self._require_same_site(request)
        asked = await _read(request, AskLog)
        found = await self._desk.fetch_access_log(_find_handle(session, asked.person), asked.page)
        return build_json_response(found)

    async def access_log_proof(self, request: Request) -> Response:
        """Answer a completeness bundle, or the copy of one that has no keys."""
        session = self._require_same_site(request)
        asked = await _read(request, AskProof)
        view: Literal["self", "representative"] = (
            "self" if asked.person == "self" else "representative"
        )
        handle = _find_handle(session, asked.person)
        bundle = await self._desk.fetch_proof(handle, Asked(view, asked.quarters))
        if asked.made_for == "somebody_else":
            bundle = build_copy(bundle)
        return build_json_response(bundle.model_dump_json().encode())

    async def wish(self, request: Request) -> Response:
        """Record a wish."""
        session = self._require_same_site(request)
        asked = await _read(request, AskWish)
        answer = await self._desk.record_wish(_find_handle(session, asked.person), asked.wish)
        (person,) = answer.persons
        assert person.index is not None  # noqa: S101 - a wish without an entry does not verify
        assert answer.checkpoint is not None  # noqa: S101 - as above
        return build_json_response(
            WishAnswer(
                weighing=person.part.weighing, entry=person.index, log_size=answer.checkpoint.size
            )
        )

    async def logout(self, request: Request) -> Response:
        """End the session here whatever the broker says; its handles end by themselves too."""
        session = self._require_same_site(request)
        self.sessions.end(request.cookies.get(self._session_cookie))
        try:
            await self._desk.end_session(Handles(session.own, session.represented))
        except PeerError as error:
            _log.warning("session_not_ended_at_broker", code=error.code)
        response = build_json_response(LoggedOut(status="logged_out"))
        self._set_cookie(response, self._session_cookie, "", 0)
        return response

    def _require_session(self, request: Request) -> Session:
        return self.sessions.require(request.cookies.get(self._session_cookie), clock.now())

    def _require_same_site(self, request: Request) -> Session:
        """Return the session of a POST that this session's own page made; raise CrossSiteError."""
        session = self._require_session(request)
        origin = request.headers.get("origin")
        if origin is not None and origin != self._settings.url.rstrip("/"):
            raise CrossSiteError
        session.require_csrf(request.headers.get(CSRF_HEADER, ""))
        return session

    def _set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        # Lax, not Strict: the way back from the provider begins at another site. With the same
        # attributes where it ends at once: a browser takes a `__Host-` cookie in no other form.
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self._settings.is_secure,
            httponly=True,
            samesite="lax",
        )


async def health(_request: Request) -> Response:
    """Answer."""
    return build_json_response(Health(status="ok"))


async def _read(request: Request, kind: type[ModelT]) -> ModelT:
    """Return the model of a strict JSON body; raise CanonicalError or InputInvalidError."""
    body = await request.body()
    decode_strict(body)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None


def _find_handle(session: Session, who: Who) -> bytes:
    if who == "self":
        return session.own
    if session.represented is None:
        raise NotRepresentedError
    return session.represented
