"""A consistency proof made from the tiles of a log, by whoever may fetch them.

Rule: tiles are nobody's word: those that do not lead to the signed root of the larger tree are
refused, and prove nothing against the log. Of those that do, the proof shows the log's own tree.
Source: C2SP tlog-tiles; RFC 9162 section 2.1.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from datwat.protocol.merkle import (
    HASH_LENGTH,
    ConsistencyError,
    build_consistency_proof,
    derive_root_at,
    verify_consistency,
)
from datwat.protocol.tiles import (
    TileContentError,
    TilePath,
    decode_tile,
    derive_node,
    derive_tile_of_node,
)

FetchTile = Callable[[TilePath], Awaitable[bytes]]


async def build_proof_from_tiles(
    fetch: FetchTile, first: int, second: int, root: bytes
) -> tuple[bytes, ...]:
    """Return the proof that the tree of `second` entries with this signed `root` gives.

    It leads to `root`; from which root at `first` is for the caller to check. Fetches each tile
    once, about one or two for each eight levels of the tree; nothing for equal sizes.

    Raises:
        MerkleError: not 0 < `first` ≤ `second`.
        TileContentError: what came is not the tiles of this tree; whatever `fetch` raises.
    """
    wanted: list[tuple[int, int]] = []

    def note_down(level: int, index: int) -> bytes:
        wanted.append((level, index))
        return bytes(HASH_LENGTH)

    if first == second:
        return ()
    build_consistency_proof(note_down, first, second)
    derive_root_at(note_down, first)
    paths = sorted(
        {derive_tile_of_node(*node, second) for node in wanted}, key=lambda path: path.text
    )
    bodies = await asyncio.gather(*map(fetch, paths))
    tiles = {path: decode_tile(body, path.width) for path, body in zip(paths, bodies, strict=True)}

    def read(level: int, index: int) -> bytes:
        return derive_node(tiles[derive_tile_of_node(level, index, second)], level, index)

    path = tuple(build_consistency_proof(read, first, second))
    try:
        verify_consistency(first, second, path, derive_root_at(read, first), root)
    except ConsistencyError:
        raise TileContentError("The tiles do not lead to the root that the log signed.") from None
    return path
