"""Follows a log from one signed tree to a later one: fetch, prove, hand over, in bounded parts.

Rule: nothing is handed over but what is proved to lie under a root that the log signed, and proved
to grow from what was held before; so what was handed over once never has to be taken back.
Source: C2SP tlog-tiles; RFC 9162 section 2.1.4.

1. The tree held is proved to be the beginning of the signed one, from the log's own tiles.
2. Entries are fetched and hashed, a part at a time, onto the edge of the tree held.
3. The edge is proved to be the beginning of the signed tree; at the end it is that tree.
4. The part is handed over, and becomes what is held.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.merkle import (
    ConsistencyError,
    NodeReader,
    build_consistency_proof,
    derive_root_at,
    hash_leaf,
    verify_consistency,
)
from datwat.protocol.tiles import (
    TILE_WIDTH,
    TilePath,
    TreeEdge,
    derive_node,
    derive_tile,
    derive_tile_of_node,
)
from witness.errors import LogForkedError, LogShrunkError, LogTilesError
from witness.source import Source, fetch_entries, fetch_hashes

PART_ENTRIES = 131_072
"""Entries in a part: 9 MB of them, and a few times that in memory."""

_AT_ONCE = 16

FoundT = TypeVar("FoundT")
AskedT = TypeVar("AskedT")


@dataclass(frozen=True, slots=True)
class Part:
    """Entries proved to lie under a signed root, the tiles that they filled, and the edge after.

    `begun` are the entries of the bundle that `start` lies in, before it.
    """

    start: int
    begun: Sequence[bytes] = field(repr=False)
    entries: Sequence[bytes] = field(repr=False)
    tiles: Sequence[tuple[TilePath, tuple[bytes, ...]]] = field(repr=False)
    edge: TreeEdge = field(repr=False)


async def follow(
    source: Source, held: TreeEdge, signed: Checkpoint, *, part_entries: int = PART_ENTRIES
) -> AsyncIterator[Part]:
    """Yield the entries from the tree held up to the signed one, in order.

    Raises:
        LogShrunkError: the signed tree is smaller.
        LogForkedError: it does not begin with the tree held, and the tiles prove it.
        LogTilesError: the tiles do not lead to the signed root.
        LogSourceError, PeerError: they cannot be read.
    """
    await require_beginning(source, held, signed)
    while held.size < signed.size:
        end = min(signed.size, (held.size // part_entries + 1) * part_entries)
        begun, entries = await _fetch_entries(source, held, end, signed.size)
        part = await asyncio.to_thread(_grow, held, begun, entries)
        await require_beginning(source, part.edge, signed, is_own=True)
        yield part
        held = part.edge


async def require_beginning(
    source: Source, held: TreeEdge, signed: Checkpoint, *, is_own: bool = False
) -> None:
    """Check that the signed tree begins with the tree held, by the tiles of the source.

    With `is_own` the tree held was itself built from this source: that it does not fit says that
    the source's files do not fit each other, and nothing about the log.
    """
    if held.size > signed.size:
        raise LogShrunkError
    if held.size == signed.size:
        if not held.has_root(signed.root):
            raise LogTilesError if is_own else LogForkedError
        return
    if held.size == 0 or await is_beginning(source, held.size, held.root, signed):
        return
    raise LogTilesError if is_own else LogForkedError


async def is_beginning(source: Source, size: int, root: bytes, signed: Checkpoint) -> bool:
    """Tell whether the signed tree begins with that of `size` and `root`; False is proved too.

    "No" is told only where the tiles prove that it begins with another tree: of tiles that are
    damaged, or were changed by whoever serves them, the log may not be accused.

    Raises:
        LogTilesError: the tiles prove neither.
    """

    def build(node: NodeReader) -> tuple[list[bytes], bytes]:
        return build_consistency_proof(node, size, signed.size), derive_root_at(node, size)

    proof, found = await build_from_tiles(source, signed.size, build)
    try:
        verify_consistency(size, signed.size, proof, found, signed.root)
    except ConsistencyError:
        raise LogTilesError from None
    return hmac.compare_digest(found, root)


async def build_from_tiles(
    source: Source, size: int, build: Callable[[NodeReader], FoundT]
) -> FoundT:
    """Return what `build` makes of the tree of `size` entries, after fetching the tiles it reads.

    `build` runs twice: first to see what it asks for, on zeros.
    """
    wanted: dict[TilePath, None] = {}

    def note_down(level: int, index: int) -> bytes:
        wanted[derive_tile_of_node(level, index, size)] = None
        return bytes(32)

    build(note_down)
    found = await _gather(wanted, lambda path: fetch_hashes(source, path))
    tiles = dict(zip(wanted, found, strict=True))

    def read(level: int, index: int) -> bytes:
        return derive_node(tiles[derive_tile_of_node(level, index, size)], level, index)

    return build(read)


async def _fetch_entries(
    source: Source, held: TreeEdge, end: int, size: int
) -> tuple[list[bytes], list[bytes]]:
    """Return the entries [held.size, end) of a log of `size`, after those of the bundle begun."""
    first = held.size // TILE_WIDTH
    paths = [derive_tile(None, index, size) for index in range(first, -(-end // TILE_WIDTH))]
    bundles = await _gather(paths, lambda path: fetch_entries(source, path))
    before = held.levels[0] if held.levels else ()
    if [hash_leaf(entry) for entry in bundles[0][: len(before)]] != list(before):
        raise LogTilesError
    entries = [entry for bundle in bundles for entry in bundle]
    return entries[: len(before)], entries[len(before) : end - first * TILE_WIDTH]


def _grow(held: TreeEdge, begun: Sequence[bytes], entries: Sequence[bytes]) -> Part:
    edge = held.copy()
    tiles = list(edge.grow([hash_leaf(entry) for entry in entries]))
    return Part(start=held.size, begun=begun, entries=entries, tiles=tiles, edge=edge)


async def _gather(
    asked: Iterable[AskedT], fetch: Callable[[AskedT], Awaitable[FoundT]]
) -> list[FoundT]:
    """Fetch everything asked for, a few at a time, and return it in that order."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def fetch_one(one: AskedT) -> FoundT:
        async with free:
            return await fetch(one)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch_one(one)) for one in asked]
    except ExceptionGroup as failed:  # several may fail for one cause: one is told
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
