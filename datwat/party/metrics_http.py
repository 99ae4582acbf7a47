"""`GET /metrics`: the figures of this process, for who watches it and has its token.

Rules: on loopback only, at the listener of commands and, where `metrics_port` is set, at one of its
own, for a proxy may lead to that one and never to commands; for the token of the home folder or
`metrics.token`, which opens nothing else; what is read is read beside the loop, so that who asks
holds up nobody. Source: docs/decisions/0028-figures-and-events.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.party import metrics
from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.gate import Door, Gate, Limits
from datwat.party.metrics import Reading
from datwat.party.problems import add_problem_handlers
from datwat.party.serve import Listener
from datwat.party.settings import PartySettings, SecretError, read_secret, write_secret

PATH = "/metrics"
TOKEN_NAME = "metrics.token"  # noqa: S105 - the name of a file
ADMIN_TOKEN_NAME = "admin.token"  # noqa: S105 - the name of a file
_HOST = "127.0.0.1"
_MOST_AT_ONCE = 2

ReadAll = Callable[[], Iterable[Reading]]


class MetricsTokenError(PartyError):
    """Without a token that lets anybody read the figures."""

    code = "metrics_token"
    default_detail = "The token in secrets/metrics.token of this party's home folder is needed."


def require_metrics_token(home: Path) -> None:
    """Make the token if there is none yet; raise SecretError where that cannot be done.

    Several processes of one home may start at once: one of them makes it.
    """
    path = home / "secrets" / TOKEN_NAME
    if path.exists():
        return
    try:
        write_secret(home, TOKEN_NAME, secrets.token_urlsafe(32).encode("ascii"))
    except SecretError:
        if not path.exists():
            raise
    except OSError as error:
        raise SecretError(describe_obstacle(error, path)) from None


def build_metrics_route(settings: PartySettings, read_all: ReadAll) -> Route:
    """Return the route; `read_all` tells what stands now, in a thread. Raises SecretError."""
    metrics.begin(settings.party)
    require_metrics_token(settings.home)
    expected = [
        hashlib.sha256(read_secret(settings.home, name)).digest()
        for name in (TOKEN_NAME, ADMIN_TOKEN_NAME)
    ]
    turns = asyncio.Semaphore(_MOST_AT_ONCE)

    async def show(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = hashlib.sha256(token.encode()).digest()
        if not any([hmac.compare_digest(given, one) for one in expected]):  # noqa: C419 - all of them
            raise MetricsTokenError
        async with turns:
            body = await asyncio.to_thread(lambda: metrics.render(read_all()))
        return Response(body, headers={"content-type": metrics.CONTENT_TYPE})

    return Route(PATH, show, methods=["GET"])


def build_metrics_listeners(settings: PartySettings, route: Route) -> tuple[Listener, ...]:
    """Return the listener of its own, if the settings have a port for it."""
    if not settings.metrics_port:
        return ()
    app = Starlette(routes=[route])
    add_problem_handlers(app)
    limits = Limits(max_body_bytes=1_024, max_requests=8)
    app.add_middleware(Gate, version="1.0.0", limits=limits, door=Door("metrics"))
    return (Listener("metrics", app, _HOST, settings.metrics_port),)
