"""The officers' API: the life of a purpose for an editor, or a pipeline, on another machine.

Rules: whoever has a named token runs the very commands that `datwat purpose` runs, as the role that
the token names and the register still holds; the token of the broker's home folder is no named one
and opens nothing here. A token is looked up by its SHA-256 and never compared as it is; who guesses
is held up before the database is asked. Only so many requests of one officer pass in a second, and
fewer are at work at once. Source: docs/decisions/0024-officers-api.md; RFC 6750.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from broker.api.officers_table import OfficerRoute, list_officer_operations
from broker.exchange.admission import RateLimiter
from broker.exchange.errors import RateLimitedError
from datwat.party.admin import Command, FindHolder, Holder, RoleCommand
from datwat.party.errors import PartyError
from datwat.party.openapi import Operation
from datwat.party.problems import CODE_KEY, build_problem_response, read_members
from datwat.protocol.canonical import decode_strict

# An editor that shows a preview while somebody types stays well below.
PER_SECOND, BURST = 5.0, 50
# Reading a long text takes a thread for a second: nobody has them all.
MOST_AT_WORK = 4
# Tokens that are not known to hold: as a person types them, and no faster.
TRIES_PER_SECOND, MOST_TRIES = 1.0, 50
_MOST_KNOWN = 1_024
_TOKEN = re.compile(r"Bearer ([A-Za-z0-9_-]{43})")
_ANYBODY = ""


class OfficerTokenMissingError(PartyError):
    """No named token, or one that is over or was never given."""

    code = "officer_token_missing"
    default_detail = (
        "A named token is needed: `datwat broker tokens create` gives one; send it as "
        "`Authorization: Bearer …`."
    )


class TooManyTokensError(RateLimitedError):
    """Tokens that are not known come faster than they are looked up."""

    default_detail = "Too many tokens that are not known were tried: try again in a moment."


class TooManyRequestsError(RateLimitedError):
    """One officer asks faster than is answered."""

    default_detail = "Too many requests with tokens of one person: try again in a moment."


class OfficersApi:
    """Runs officers' commands for who has a named token; one object per process."""

    def __init__(
        self,
        commands: Mapping[str, Command],
        find_holder: FindHolder,
        clock: Callable[[], datetime],
        *,
        per_second: float = PER_SECOND,
        burst: int = BURST,
    ) -> None:
        """Keep the commands, by name, and what tells whose a token is.

        `burst` requests of one officer at once, `per_second` in the long run.
        """
        self._commands = commands
        self._find_holder = find_holder
        self._clock = clock
        self._requests = RateLimiter(per_second, burst)
        self._at_work: Counter[str] = Counter()
        self._tries = RateLimiter(TRIES_PER_SECOND, MOST_TRIES)
        # Hashes of tokens that held when they were last looked up: those wait for no guesser.
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def build_operations(self) -> Sequence[Operation]:
        """Return the routes."""
        return tuple(list_officer_operations(self._build_endpoint))

    def _build_endpoint(self, route: OfficerRoute) -> Callable[[Request], Awaitable[Response]]:
        command = self._commands[route.command]
        if not isinstance(command, RoleCommand):
            msg = f"{route.command} asks for no role"
            raise TypeError(msg)
        return partial(self._answer, route, command)

    async def _answer(
        self, route: OfficerRoute, command: RoleCommand, request: Request
    ) -> Response:
        """Answer one request.

        Steps: 1. whose token it is; 2. how often they ask; 3. the form of what is asked; 4. the
        command, which asks the register.
        """
        try:
            holder = await self._require_holder(request.headers.getlist("authorization"))
        except OfficerTokenMissingError as error:
            request.scope[CODE_KEY] = error.code
            response = build_problem_response(error)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        try:
            self._requests.take(holder.staff, self._clock())
        except RateLimitedError:
            raise TooManyRequestsError from None
        members = decode_strict(await request.body())
        read_members(route.request, members)
        with self._hold(holder.staff):
            answer = await command.run_as(members, holder)
        return Response(orjson.dumps(answer), media_type="application/json")

    @contextmanager
    def _hold(self, staff: str) -> Iterator[None]:
        """Hold one of this person's places; raise TooManyRequestsError where none is left."""
        if self._at_work[staff] >= MOST_AT_WORK:
            raise TooManyRequestsError
        self._at_work[staff] += 1
        try:
            yield
        finally:
            self._at_work[staff] -= 1
            self._at_work += Counter()  # drops who holds none

    async def _require_holder(self, headers: Sequence[str]) -> Holder:
        """Return whose token came; raise OfficerTokenMissingError, TooManyTokensError."""
        found = _TOKEN.fullmatch(headers[0]) if len(headers) == 1 else None
        if found is None:
            raise OfficerTokenMissingError
        token_hash = hashlib.sha256(found[1].encode("ascii")).digest()
        if token_hash not in self._known:
            try:
                self._tries.take(_ANYBODY, self._clock())
            except RateLimitedError:
                raise TooManyTokensError from None
        holder = await self._find_holder(found[1])
        if holder is None:
            self._known.pop(token_hash, None)
            raise OfficerTokenMissingError
        self._known[token_hash] = None
        self._known.move_to_end(token_hash)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return holder
