"""Access tokens for systems that ask for decisions: client credentials with `private_key_jwt`.

Rules: a client is known by its key alone, never by a secret that the broker shares; an assertion is
for this endpoint, of this moment and for one time; a token is opaque, lasts minutes and is kept by
its SHA-256; it stands for the client's partner, and only while that partner is in force. Why an
assertion is refused is not told: whoever may know has the key and the documentation. Sources: RFC
6749 section 4.4, RFC 7521, RFC 7523 section 3, NL GOV Assurance profile for OAuth 2.0.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from broker.api.assertions import (
    Assertion,
    AssertionRefusedError,
    ClientKeyError,
    read_assertion,
    read_issuer,
)
from broker.audit.records import Appendable, Job
from broker.exchange.access import AccessStore, Grant
from broker.exchange.admission import RateLimiter
from broker.exchange.rooms import Rooms
from datwat.party.errors import PartyError
from datwat.party.http_in import build_json_response
from datwat.party.problems import CODE_KEY, MEDIA_TYPE, build_problem
from datwat.party.trust_list import IssuerRefusedError
from datwat.protocol.trust import Partner

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address
TOKEN_LIFE = timedelta(minutes=5)
SCOPE = "access-evaluation"
_GRANT = "client_credentials"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_BYTES = 32
_TOKEN_LENGTH = 43
_MOST_FIELDS = 12
_ONCE = ("grant_type", "client_assertion_type", "client_assertion", "client_id", "scope")
OauthCode = Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]


class TokenRefusedError(PartyError):
    """No token is given; `oauth_error` is what OAuth calls it."""

    code = "token_request"
    default_detail = "The request for a token is not of the documented form."
    oauth_error: OauthCode = "invalid_request"


class TokenGrantError(TokenRefusedError):
    """Another grant than client credentials."""

    code = "token_grant"
    default_detail = "Only grant_type=client_credentials is given here."
    oauth_error = "unsupported_grant_type"


class TokenScopeError(TokenRefusedError):
    """Another scope than the one that there is."""

    code = "token_scope"
    default_detail = f"The only scope is {SCOPE}: name that one, or none."
    oauth_error = "invalid_scope"


class ClientRefusedError(TokenRefusedError):
    """The client is not known by this assertion, or its partner is not in force."""

    code = "access_client_refused"
    default_detail = (
        "The client is not accepted: check its key and end date, and that the assertion is for "
        "this endpoint, was made now, lasts at most five minutes and was not used before."
    )
    oauth_error = "invalid_client"


class TokenMissingError(PartyError):
    """No token, or one that is over or was never given."""

    code = "access_token_missing"
    default_detail = f"A token of {TOKEN_PATH} is needed: send it as `Authorization: Bearer …`."


class TokenAnswer(BaseModel):
    """A token and for how many seconds it holds (RFC 6749 section 5.1)."""

    access_token: str = Field(repr=False)
    token_type: Literal["Bearer"] = Field(repr=False)
    expires_in: int
    scope: str


class TokenRequest(BaseModel):
    """The form of the request (RFC 7521 section 4.2), as the OpenAPI document shows it."""

    grant_type: Literal["client_credentials"]
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    client_assertion: str = Field(repr=False)
    client_id: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token stands for: a client, and its partner as the trust list has it now."""

    client_id: str
    partner: Partner


class TokenDesk:
    """Gives tokens and reads them; one object per process."""

    def __init__(
        self,
        rooms: Rooms,
        store: AccessStore,
        limiter: RateLimiter,
        *,
        endpoint: str,
        restored_at: int = 0,
    ) -> None:
        """`endpoint` is the address that an assertion must be for, as clients know it."""
        self._rooms = rooms
        self._store = store
        self._limiter = limiter
        self._endpoint = endpoint
        self._restored_at = restored_at

    async def answer(self, request: Request) -> Response:
        """Answer `POST /v1/oauth/token`."""
        try:
            token = await self._grant(_read_form(await request.body()))
        except TokenRefusedError as error:
            request.scope[CODE_KEY] = error.code
            return build_oauth_problem(error)
        answer = TokenAnswer(
            access_token=token,
            token_type="Bearer",  # noqa: S106 - the kind of token
            expires_in=int(TOKEN_LIFE.total_seconds()),
            scope=SCOPE,
        )
        return build_json_response(answer)

    def require_caller(self, request: Request) -> Caller:
        """Return who a request's token stands for.

        Raises: TokenMissingError, IssuerRefusedError where the partner is not in force any more.
        """
        now = self._rooms.clock()
        token_hash = _read_bearer(request.headers.getlist("authorization"))
        with self._rooms.reading() as conn:
            grant = self._store.find_grant(conn, token_hash, now)
        if grant is None:
            raise TokenMissingError
        partner = self._rooms.trust.directory.require_partner(grant.partner, now)
        return Caller(grant.client_id, partner)

    async def _grant(self, form: dict[str, str]) -> str:
        """Return a fresh token.

        Steps: 1. the form; 2. whose key; 3. signature and claims; 4. the partner is in force; 5.
        its rate; 6. the assertion is spent and the token kept, in one transaction.
        """
        _require_form(form)
        now = self._rooms.clock()
        try:
            client_id = read_issuer(form["client_assertion"])
            partner, keys = self._find_keys(client_id, now)
            assertion = read_assertion(
                form["client_assertion"], keys, client_id=client_id, aud=self._endpoint, now=now
            )
            held = self._rooms.trust.directory.require_partner(partner, now)
        except (AssertionRefusedError, ClientKeyError, IssuerRefusedError):
            raise ClientRefusedError from None
        if form.get("client_id", client_id) != client_id:
            raise ClientRefusedError
        if assertion.issued_at.timestamp() <= self._restored_at:
            raise ClientRefusedError  # what was spent before the restore is not known
        self._limiter.take(held.id, now)
        return await self._keep(assertion, Grant(client_id, held.id, now + TOKEN_LIFE))

    def _find_keys(self, client_id: str, now: datetime) -> tuple[str, Sequence[str]]:
        """Return a client's partner and its keys: a partner itself, or a client of the register."""
        directory = self._rooms.trust.directory
        listed = directory.partners.get(client_id)
        if listed is not None:
            return listed.id, [key.model_dump_json() for key in listed.keys]
        with self._rooms.reading() as conn:
            held = self._store.find_client(conn, client_id, now)
        if held is None:
            raise ClientRefusedError
        return held.partner, [held.jwk]

    async def _keep(self, assertion: Assertion, grant: Grant) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        token_hash = hashlib.sha256(token.encode("ascii")).digest()

        def work(conn: Connection) -> Sequence[Appendable]:
            if not self._store.spend_assertion(conn, assertion.jti_hash, assertion.spent_until):
                raise ClientRefusedError
            self._store.add_token(conn, token_hash, grant)
            return []

        await self._rooms.log.append(Job(work))
        return token


def build_oauth_problem(error: TokenRefusedError) -> Response:
    """Return the problem of an error with the two members that OAuth's clients read."""
    problem = build_problem(error)
    members = problem.model_dump(exclude_none=True)
    members |= {"error": error.oauth_error, "error_description": problem.detail}
    return Response(orjson.dumps(members), problem.status, media_type=MEDIA_TYPE)


def build_metadata(issuer: str, algorithms: Sequence[str]) -> dict[str, object]:
    """Return the metadata of the authorization server (RFC 8414)."""
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "grant_types_supported": [_GRANT],
        "response_types_supported": [],
        "scopes_supported": [SCOPE],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(algorithms),
    }


def _read_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, each once; what OAuth does not know is left alone."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise TokenRefusedError from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise TokenRefusedError("A field stands in the form twice.")
        form[name] = value
    return {name: form[name] for name in form if name in _ONCE or name == "client_secret"}


def _require_form(form: dict[str, str]) -> None:
    if form.get("grant_type") != _GRANT:
        raise TokenGrantError if "grant_type" in form else TokenRefusedError
    if "client_secret" in form or "client_assertion" not in form:
        raise TokenRefusedError("A client shows who it is by client_assertion, and by it alone.")
    if form.get("client_assertion_type") != _ASSERTION_TYPE:
        raise TokenRefusedError(f"client_assertion_type must be {_ASSERTION_TYPE}.")
    if form.get("scope", SCOPE) != SCOPE:
        raise TokenScopeError


def _read_bearer(values: Sequence[str]) -> bytes:
    """Return the SHA-256 of the one token in the one header; raise TokenMissingError."""
    kind, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if kind.lower() != "bearer" or len(token) != _TOKEN_LENGTH or not token.isascii():
        raise TokenMissingError
    return hashlib.sha256(token.encode("ascii")).digest()
