"""The public log: checkpoint, tiles, entries and proofs, byte for byte as C2SP describes them.

Rules: nobody needs to be known; nothing is read that was not signed; only so many requests read at
once, and none of them on the event loop. These routes are not in the OpenAPI document: C2SP is
their description. Source: C2SP tlog-tiles, tlog-proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.audit.proofs import SignedHead
from broker.audit.tiles import EntryOutsideError, Tiles
from datwat.party.problems import TooBusyError
from datwat.protocol.tiles import CHECKPOINT_MEDIA_TYPE, TILE_MEDIA_TYPE, TILE_WIDTH, TilePath
from datwat.protocol.tlog_proof import TLOG_PROOF_MEDIA_TYPE

LOG_PREFIX = "/v1/log"
_READING_AT_ONCE = 4
_MOST_WAITING = 64
_LONGEST_INDEX = 19
_BRIEFLY = {"Cache-Control": "public, max-age=2"}
_LONG = {"Cache-Control": "public, max-age=86400"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}

T = TypeVar("T")


class PublicLog:
    """The endpoints; `read_shown` gives the checkpoint that outsiders are shown."""

    def __init__(self, tiles: Tiles, read_shown: Callable[[], SignedHead]) -> None:
        self._tiles = tiles
        self._read_shown = read_shown
        self._places = asyncio.Semaphore(_READING_AT_ONCE)
        self._waiting = 0

    def build_routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        return [
            Route(f"{LOG_PREFIX}/checkpoint", self._checkpoint, methods=["GET"]),
            Route(f"{LOG_PREFIX}/proof/{{index}}", self._proof, methods=["GET"]),
            Route(f"{LOG_PREFIX}/tile/{{rest:path}}", self._tile, methods=["GET"]),
        ]

    async def _checkpoint(self, _request: Request) -> Response:
        note = self._read_shown().note
        return Response(note, headers=_BRIEFLY, media_type=CHECKPOINT_MEDIA_TYPE)

    async def _tile(self, request: Request) -> Response:
        path = TilePath.parse("tile/" + request.path_params["rest"])
        data = await self._read(lambda: self._tiles.read(path))
        headers = _FOR_EVER if path.width == TILE_WIDTH else _LONG
        return Response(data, headers=headers, media_type=TILE_MEDIA_TYPE)

    async def _proof(self, request: Request) -> Response:
        text = request.path_params["index"]
        plain = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_INDEX
        if not plain or str(int(text)) != text:
            raise EntryOutsideError
        head = self._read_shown()
        data = await self._read(lambda: self._tiles.build_proof(int(text), head))
        return Response(data, headers=_BRIEFLY, media_type=TLOG_PROOF_MEDIA_TYPE)

    async def _read(self, work: Callable[[], T]) -> T:
        """Run a read in a thread; refuse when too many wait, so that questions go on."""
        if self._waiting >= _MOST_WAITING:
            raise TooBusyError
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
