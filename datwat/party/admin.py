"""How a command talks to its own running party: a loopback listener with a bearer token.

Rules: only this machine, only who may read the home folder's secrets; the token is compared by hash
in constant time; the listener is another one than the party's own, so no proxy ever leads to it. A
command either talks to the running process or needs it stopped; none does both.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.party.errors import PartyError
from datwat.party.gate import Gate, Limits
from datwat.party.problems import NotFoundError, add_problem_handlers
from datwat.party.serve import Listener, NotRunningError, require_running
from datwat.party.settings import read_secret, require_home, write_secret
from datwat.protocol.canonical import CanonicalError, decode_strict

TOKEN_NAME = "admin.token"  # noqa: S105 - the name of a file
LISTENER_NAME = "admin"
_HOST = "127.0.0.1"
_SECONDS = 30.0
# This machine\'s own party answers: lists and bundles are longer than any message.
_MAX_ANSWER_BYTES = 64 * 1_048_576
_OK = 200

# A command takes members and returns members; both are plain JSON.
Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class AdminTokenError(PartyError):
    """Without the token of this home."""

    code = "admin_token"
    default_detail = "The token of this party's home folder is needed."


class CommandRefusedError(PartyError):
    """The running party said no; its detail says why."""

    code = "command_refused"
    default_detail = "The running party refused the command."


def create_admin_token(home: Path) -> None:
    """Write a fresh token into the home's secrets; for `init`."""
    write_secret(home, TOKEN_NAME, secrets.token_urlsafe(32).encode("ascii"))


def build_admin_listener(home: Path, commands: Mapping[str, Command]) -> Listener:
    """Return the loopback listener, on a free port, that runs `commands` by name."""
    expected = hashlib.sha256(read_secret(home, TOKEN_NAME)).digest()

    async def run(request: Request) -> Response:
        _require_token(request.headers.get("authorization", ""), expected)
        command = commands.get(request.path_params["name"])
        if command is None:
            raise NotFoundError
        members = decode_strict(await request.body())
        if not isinstance(members, dict):
            raise CommandRefusedError("A command takes an object.")
        return Response(orjson.dumps(await command(members)), media_type="application/json")

    app = Starlette(routes=[Route("/v1/commands/{name}", run, methods=["POST"])])
    add_problem_handlers(app)
    app.add_middleware(Gate, version="1.0.0", limits=Limits(max_requests=8))
    return Listener(LISTENER_NAME, app, _HOST, 0)


def call_party(party: str, home: Path, command: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """Run a command in the running party, after seeing that `home` is one of this kind of party.

    Raises SettingsError, and what `call_running` raises.
    """
    require_home(home, party)
    return call_running(home, command, **members)


def call_running(home: Path, command: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """Run a command in the party that runs from `home` and return its answer.

    Raises NotRunningError, SecretError, or CommandRefusedError with the party's own sentence.
    """
    port = require_running(home).ports[LISTENER_NAME]
    token = read_secret(home, TOKEN_NAME).decode("ascii")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    # The standard library's client: it knows no proxies, and commands start 0.1 s sooner with it.
    connection = HTTPConnection(_HOST, port, timeout=_SECONDS)
    try:
        connection.request("POST", f"/v1/commands/{command}", orjson.dumps(members), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = decode_strict(response.read(), max_bytes=_MAX_ANSWER_BYTES)
    except (OSError, HTTPException, CanonicalError):
        raise NotRunningError from None
    finally:
        connection.close()
    if response.status != _OK:
        detail = str(answer.get("detail", CommandRefusedError.default_detail))
        raise CommandRefusedError(detail, place=answer.get("place"))
    return answer


def _require_token(header: str, expected: bytes) -> None:
    given = hashlib.sha256(header.removeprefix("Bearer ").encode()).digest()
    if not hmac.compare_digest(given, expected):
        raise AdminTokenError
