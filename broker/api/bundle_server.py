"""The policy bundle for an OPA that somebody else runs, by OPA's bundle protocol.

Rules: a listener of its own, with a bearer token of its own, so that no partner ever reaches it;
what is handed out are the signed files, signed once more with the broker's ECDSA key, for OPA knows
no Ed25519; the tag is the bundle's, so that an OPA which has it is told so in a few bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.policy.bundle import BUNDLE_NAME, OpaKey, build_opa_archive
from datwat.party.errors import PartyError
from datwat.party.gate import Door, Gate, Limits
from datwat.party.problems import add_problem_handlers
from datwat.party.serve import Listener
from datwat.protocol.bundle import Bundle

LISTENER = "opa"
PATH = f"/bundles/{BUNDLE_NAME}.tar.gz"
_NOT_MODIFIED = 304


class BundleTokenError(PartyError):
    """Without the token of the bundle server."""

    code = "bundle_token"
    default_detail = "The token of the bundle server is needed: `datwat broker opa-config` has it."


class BundleServer:
    """Hands out the bundle that is to be in force; one object per process."""

    def __init__(self, read_bundle: Callable[[], Bundle], key: OpaKey, token: str) -> None:
        """Keep what signs and who may fetch; `read_bundle` gives the bundle of that moment."""
        self._read_bundle = read_bundle
        self._key = key
        self._token = hashlib.sha256(token.encode()).digest()
        self._building = asyncio.Lock()
        self._built: tuple[str, bytes] | None = None

    def __repr__(self) -> str:
        """Show nothing: it holds the key."""
        return "BundleServer()"

    async def serve(self, request: Request) -> Response:
        """Answer one OPA: the archive, or that it has it."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(hashlib.sha256(given.encode()).digest(), self._token):
            raise BundleTokenError
        bundle = self._read_bundle()
        headers = {"ETag": f'"{bundle.digest}"', "Cache-Control": "no-store"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        archive = await self._build(bundle)
        return Response(archive, media_type="application/gzip", headers=headers)

    async def _build(self, bundle: Bundle) -> bytes:
        async with self._building:
            if self._built is None or self._built[0] != bundle.digest:
                archive = await asyncio.to_thread(build_opa_archive, bundle.archive, self._key)
                self._built = (bundle.digest, archive)
            return self._built[1]


def build_bundle_listener(server: BundleServer, host: str, port: int) -> Listener:
    """Return the listener at which an OPA fetches its bundle."""
    app = Starlette(routes=[Route(PATH, server.serve, methods=["GET"])])
    add_problem_handlers(app)
    app.add_middleware(Gate, version="1.0.0", limits=Limits(max_requests=8), door=Door("opa"))
    return Listener(LISTENER, app, host, port)
