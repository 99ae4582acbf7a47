"""How a command talks to its own running party: a loopback listener with a bearer token.

Rules: only this machine, only who may read the home folder's secrets, or who holds a named token of
the party: such a token runs the commands that are made for people with roles (`RoleCommand`) and no
other. Tokens are compared by hash; the listener is another one than the party's own, so no proxy
ever leads to it. A command either talks to the running process or needs it stopped; none does both.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.gate import Door, Gate, Limits
from datwat.party.problems import NotFoundError, add_problem_handlers
from datwat.party.running import NotRunningError, require_running
from datwat.party.serve import Listener
from datwat.party.settings import read_secret, require_home, write_secret
from datwat.protocol.canonical import CanonicalError, decode_strict

# Names the file with a named token, which then runs every command of this shell.
TOKEN_VARIABLE = "DATWAT_TOKEN_FILE"  # noqa: S105 - the name of a variable
TOKEN_NAME = "admin.token"  # noqa: S105 - the name of a file
LISTENER_NAME = "admin"
_NAMED_SENT = (
    f" What was sent is the token in the file that {TOKEN_VARIABLE} names: unset that variable to "
    "use the one of the home folder, or, where yours has ended, have a new one made."
)
_HOST = "127.0.0.1"
_SECONDS = 120.0
# Who asks how a party is has other ways to find out when it says nothing.
_STATUS_SECONDS = 30.0
# This machine\'s own party answers: lists and bundles are longer than any message.
_MAX_ANSWER_BYTES = 64 * 1_048_576
_OK = 200

# A command takes members and returns members; both are plain JSON.
Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token runs a command: who they are, for which organisation, and in which role."""

    staff: str = field(repr=False)
    organisation: str
    role: str


# Who has the token of the home folder.
OPERATOR = Holder(staff="operator", organisation="", role="operator")
FindHolder = Callable[[str], Awaitable[Holder | None]]


class RoleCommand:
    """A command that people with a role run by a token of their own; it is told whose that is."""

    def __init__(self, run: Callable[[dict[str, Any], Holder], Awaitable[dict[str, Any]]]) -> None:
        """Keep what is run."""
        self._run = run

    async def run_as(self, members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        """Run it for the holder of a named token."""
        return await self._run(members, holder)

    async def __call__(self, members: dict[str, Any]) -> dict[str, Any]:
        """Run it for who has the token of the home folder."""
        return await self._run(members, OPERATOR)


async def _find_nobody(_token: str) -> Holder | None:
    return None


class AdminTokenError(PartyError):
    """Without the token of this home."""

    code = "admin_token"
    default_detail = "The token of this party's home folder is needed."


class CommandRefusedError(PartyError):
    """The running party said no; its detail says why."""

    code = "command_refused"
    default_detail = "The running party refused the command."


class CommandSlowError(PartyError):
    """The running party said nothing in time; what was asked may still be done."""

    code = "command_slow"
    default_detail = (
        "The running party did not answer in time, and may still carry the command out: "
        "look how it is (`status`, or the list that the command changes) before you try again."
    )


def create_admin_token(home: Path) -> None:
    """Write a fresh token into the home's secrets; for `init`."""
    write_secret(home, TOKEN_NAME, secrets.token_urlsafe(32).encode("ascii"))


def build_admin_listener(
    home: Path,
    commands: Mapping[str, Command],
    find_holder: FindHolder = _find_nobody,
    routes: Sequence[Route] = (),
) -> Listener:
    """Return the loopback listener, on a free port, that runs `commands` by name.

    `find_holder` tells whose a named token is; such a token runs a `RoleCommand` only. `routes`
    are what else is here, such as the figures; each looks at its own token.
    """
    expected = hashlib.sha256(read_secret(home, TOKEN_NAME)).digest()

    async def run(request: Request) -> Response:
        holder = await _require_holder(
            request.headers.get("authorization", ""), expected, find_holder
        )
        command = commands.get(request.path_params["name"])
        if holder is not OPERATOR and not isinstance(command, RoleCommand):
            raise AdminTokenError(
                "No named token runs this: the token of this party's home folder is needed."
            )
        if command is None:
            raise NotFoundError
        members = decode_strict(await request.body())
        if not isinstance(members, dict):
            raise CommandRefusedError("A command takes an object.")
        if isinstance(command, RoleCommand):
            answer = await command.run_as(members, holder)
        else:
            answer = await command(members)
        return Response(orjson.dumps(answer), media_type="application/json")

    app = Starlette(routes=[Route("/v1/commands/{name}", run, methods=["POST"]), *routes])
    add_problem_handlers(app)
    limits = Limits(max_requests=8)
    app.add_middleware(Gate, version="1.0.0", limits=limits, door=Door(LISTENER_NAME))
    return Listener(LISTENER_NAME, app, _HOST, 0)


def call_party(
    party: str,
    home: Path,
    command: str,
    *,
    token: str | None = None,
    **members: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Run a command in the running party, after seeing that `home` is one of this kind of party.

    Raises SettingsError, and what `call_running` raises.
    """
    require_home(home, party)
    return call_running(home, command, token=token, **members)


def call_running(
    home: Path,
    command: str,
    *,
    token: str | None = None,
    process: int | None = None,
    **members: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Run a command in the party that runs from `home` and return its answer.

    `token`: a named one; None takes the one in the file that DATWAT_TOKEN_FILE names, else that of
    the home folder. `process`: which one of several; None takes the first that runs.

    Raises NotRunningError, CommandSlowError, SecretError, or CommandRefusedError with the party's
    own sentence.
    """
    port = require_running(home, process).ports[LISTENER_NAME]
    named = _find_named_token() if token is None else None
    token = token or named or read_secret(home, TOKEN_NAME).decode("ascii")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    # The standard library's client: it knows no proxies, and commands start 0.1 s sooner with it.
    seconds = _STATUS_SECONDS if command == "status" else _SECONDS
    connection = HTTPConnection(_HOST, port, timeout=seconds)
    try:
        connection.request("POST", f"/v1/commands/{command}", orjson.dumps(members), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = decode_strict(response.read(), max_bytes=_MAX_ANSWER_BYTES)
    except TimeoutError:
        raise CommandSlowError from None
    except (OSError, HTTPException, CanonicalError):
        raise NotRunningError from None
    finally:
        connection.close()
    if response.status != _OK:
        detail = str(answer.get("detail", CommandRefusedError.default_detail))
        if named is not None and answer.get("code") == AdminTokenError.code:
            detail += _NAMED_SENT
        raise CommandRefusedError(detail, place=answer.get("place"))
    return answer


def _find_named_token() -> str | None:
    """Return the named token of whoever runs this, if there is one."""
    path = os.environ.get(TOKEN_VARIABLE)
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        raise AdminTokenError("The file of your token holds no token: make it anew.") from None
    except OSError as error:
        raise AdminTokenError(describe_obstacle(error, Path(path))) from None


async def _require_holder(header: str, expected: bytes, find_holder: FindHolder) -> Holder:
    """Return whose token this is; raise AdminTokenError for nobody's."""
    token = header.removeprefix("Bearer ")
    given = hashlib.sha256(token.encode()).digest()
    if hmac.compare_digest(given, expected):
        return OPERATOR
    holder = await find_holder(token)
    if holder is None:
        raise AdminTokenError
    return holder
