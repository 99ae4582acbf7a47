"""The public log: checkpoint, tiles, entries and proofs, byte for byte as C2SP describes them.

Rules: nobody needs to be known; nothing is read that was not signed; only so many requests read at
once, and none of them on the event loop. Each generation has a prefix of its own, which stays when
the next one begins; without a number it is the newest. What is read of earlier ones has to be
computed from their entries, one request at a time, and is in nobody else's way. These routes are
not in the OpenAPI document: C2SP is their description. Source: C2SP tlog-tiles, tlog-proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.api.places import Places
from broker.audit.past_log import Generations
from broker.audit.proofs import SignedHead
from broker.audit.tiles import EntryOutsideError, GenerationUnknownError, Tiles
from datwat.protocol.tiles import CHECKPOINT_MEDIA_TYPE, TILE_MEDIA_TYPE, TILE_WIDTH, TilePath
from datwat.protocol.tlog_proof import TLOG_PROOF_MEDIA_TYPE

LOG_PREFIX = "/v1/log"
_READING_AT_ONCE = 4
_COMPUTING_AT_ONCE = 1
_LONGEST_INDEX = 19
_BRIEFLY = {"Cache-Control": "public, max-age=2"}
_LONG = {"Cache-Control": "public, max-age=86400"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class _Served(NamedTuple):
    """One generation, and the places at which it is read."""

    tiles: Tiles
    read_head: Callable[[], SignedHead]
    places: Places


class PublicLog:
    """The endpoints; `read_shown` gives the checkpoint that outsiders are shown."""

    def __init__(
        self,
        tiles: Tiles,
        read_shown: Callable[[], SignedHead],
        generations: Generations | None = None,
    ) -> None:
        found = generations or Generations()
        self._newest = _Served(tiles, read_shown, Places(_READING_AT_ONCE))
        computing = Places(_COMPUTING_AT_ONCE)
        self._by_number = {
            number: _Served(shown.tiles, shown.read_head, computing)
            for number, shown in found.before.items()
        }
        if found.number is not None:
            self._by_number[found.number] = self._newest

    def build_routes(self) -> list[Route]:
        """Return the routes, for GET and HEAD."""
        return [
            Route(f"{prefix}/{rest}", endpoint, methods=["GET"])
            for prefix in (LOG_PREFIX, f"{LOG_PREFIX}/{{generation}}")
            for rest, endpoint in (
                ("checkpoint", self._checkpoint),
                ("proof/{index}", self._proof),
                ("tile/{rest:path}", self._tile),
            )
        ]

    async def _checkpoint(self, request: Request) -> Response:
        note = self._find(request).read_head().note
        return Response(note, headers=_BRIEFLY, media_type=CHECKPOINT_MEDIA_TYPE)

    async def _tile(self, request: Request) -> Response:
        log = self._find(request)
        path = TilePath.parse("tile/" + request.path_params["rest"])
        data = await log.places.read(lambda: log.tiles.read(path))
        headers = _FOR_EVER if path.width == TILE_WIDTH else _LONG
        return Response(data, headers=headers, media_type=TILE_MEDIA_TYPE)

    async def _proof(self, request: Request) -> Response:
        log, index = self._find(request), _parse_number(request.path_params["index"])
        if index is None:
            raise EntryOutsideError
        head = log.read_head()
        data = await log.places.read(lambda: log.tiles.build_proof(index, head))
        return Response(data, headers=_BRIEFLY, media_type=TLOG_PROOF_MEDIA_TYPE)

    def _find(self, request: Request) -> _Served:
        """Return the generation that a path names; raise GenerationUnknownError."""
        text = request.path_params.get("generation")
        if text is None:
            return self._newest
        found = self._by_number.get(_parse_number(text) or 0)
        if found is None:
            raise GenerationUnknownError
        return found


def _parse_number(text: str) -> int | None:
    """Return a number in its one spelling; None for anything else."""
    plain = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_INDEX
    return int(text) if plain and str(int(text)) == text else None
