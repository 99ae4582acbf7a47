"""The portal's JSON API for who is logged in; the pages have the same sessions.

Rules: the cookie is opaque, HttpOnly, SameSite; what changes or reads anything is a POST with JSON
and the session's own token in a header, so that no other site can do it; nothing about a person in
a URL.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from connectors.portal.desk import ResidentDesk
from connectors.portal.own_api import AskPerson, OwnApi
from connectors.portal.own_proof import Asked
from connectors.portal.resident import Resident, Who
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
from datwat.web.problems import CrossSiteError
from datwat.web.sessions import Session
from datwat.web.site import Site

CSRF_HEADER: Final = "x-csrf-token"
_STATUSES: Final = (401, 403, 404, 502, 504)
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
    """What is wished, and of whom."""

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

    def __init__(self, site: Site[Resident], desk: ResidentDesk, url: str) -> None:
        """Keep the parts; `url` is the portal's own address."""
        self._site = site
        self._desk = desk
        self._origin = url.rstrip("/")
        self._own = OwnApi(desk, self.find_handle, self._require_session)

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
                summary="Consent, withdraw, object, block, shield, ask, or have erased.",
                endpoint=self.wish,
                answer=WishAnswer,
                request=AskWish,
                statuses=_STATUSES,
            ),
            *self._own.build_operations(),
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

    async def me(self, request: Request) -> Response:
        """Tell who may be looked at, and give the token for the POSTs."""
        session = self._require_session(request)
        me = Me(persons=session.held.persons, csrf_token=session.csrf, ends_at=session.ends_at)
        return build_json_response(me)

    async def access_log(self, request: Request) -> Response:
        """Answer a page of the log."""
        session = self._require_same_site(request)
        asked = await _read(request, AskLog)
        found = await self._desk.fetch_access_log(
            session.held.require_handle(asked.person), asked.page
        )
        return build_json_response(found)

    async def access_log_proof(self, request: Request) -> Response:
        """Answer a completeness bundle, or the copy of one that has no keys."""
        session = self._require_same_site(request)
        asked = await _read(request, AskProof)
        held = replace(session.held, viewing=asked.person)
        bundle = await self._desk.fetch_proof(held.handle, Asked(held.eyes, asked.quarters))
        if asked.made_for == "somebody_else":
            bundle = build_copy(bundle)
        return build_json_response(bundle.model_dump_json().encode())

    async def wish(self, request: Request) -> Response:
        """Record a wish."""
        session = self._require_same_site(request)
        asked = await _read(request, AskWish)
        answer = await self._desk.record_wish(session.held.require_handle(asked.person), asked.wish)
        (person,) = answer.persons
        assert person.index is not None  # noqa: S101 - a wish without an entry does not verify
        assert answer.checkpoint is not None  # noqa: S101 - as above
        return build_json_response(
            WishAnswer(
                weighing=person.part.weighing, entry=person.index, log_size=answer.checkpoint.size
            )
        )

    async def find_handle(self, request: Request) -> bytes:
        """Return the handle of whom a POST of this session's own page is about."""
        session = self._require_same_site(request)
        asked = await _read(request, AskPerson)
        return session.held.require_handle(asked.person)

    async def logout(self, request: Request) -> Response:
        """End the session here whatever the broker says; its handles end by themselves too."""
        session = self._require_same_site(request)
        cookies = self._site.cookies
        self._site.sessions.end(request.cookies.get(cookies.session))
        try:
            await self._desk.end_session(session.held.handles)
        except PeerError as error:
            _log.warning("session_not_ended_at_broker", code=error.code)
        response = build_json_response(LoggedOut(status="logged_out"))
        cookies.set(response, cookies.session, "", 0)
        return response

    def _require_session(self, request: Request) -> Session[Resident]:
        return self._site.visit(request).session

    def _require_same_site(self, request: Request) -> Session[Resident]:
        """Return the session of a POST that this session's own page made; raise CrossSiteError."""
        session = self._require_session(request)
        origin = request.headers.get("origin")
        if origin is not None and origin != self._origin:
            raise CrossSiteError
        session.require_csrf(request.headers.get(CSRF_HEADER, ""))
        return session


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
