"""Tiles: the public form of a log, as files of fixed names that any static web server can serve.

Rule: a tile has one path and one length; a hash in a tile is that of a complete subtree, so nothing
in it ever changes; what a tree of some size does not have has no name for it either.

    tile/<L>/<N>[.p/<W>]         W (256 in a full one) hashes of complete subtrees of height 8·L
    tile/entries/<N>[.p/<W>]     the entries below tile/0/<N>: u16 length ‖ entry, for each

Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Self

from pydantic import Field

from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import HASH_LENGTH, derive_root
from datwat.protocol.values import Value

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_LEVEL = 63
MAX_TILE_BYTES = TILE_WIDTH * HASH_LENGTH
CHECKPOINT_PATH = "checkpoint"
TILE_MEDIA_TYPE = "application/octet-stream"
CHECKPOINT_MEDIA_TYPE = "text/plain; charset=utf-8"

_MAX_INDEX = 2**63 - 1
_LENGTH_BYTES = 2
_LONGEST_ENTRY = 65_535
_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


class TileError(ProtocolError):
    """Something is not a tile, or not the name of one."""

    code = "tile_refused"
    default_detail = "This is not a tile of a log."


class TilePathError(TileError):
    """Not the one spelling of a tile's path."""

    code = "tile_path"
    default_detail = "This is not the path of a tile."


class TileOutsideError(TileError):
    """A tile past the end of the log, or wider than the log is there."""

    code = "tile_outside"
    default_detail = "A log of this size has no such tile."


class TileContentError(TileError):
    """Bytes that are not the hashes or entries of a tile of this width."""

    code = "tile_content"
    default_detail = "The bytes of a tile are not the number of hashes or entries that it names."


class TilePath(Value):
    """The name of a tile: `level` is None for a bundle of entries; `width` is 256 in a full one."""

    level: int | None = Field(ge=0, le=MAX_LEVEL)
    index: int = Field(ge=0, le=_MAX_INDEX)
    width: int = Field(default=TILE_WIDTH, ge=1, le=TILE_WIDTH)

    @property
    def text(self) -> str:
        """The path below the log's prefix."""
        groups = [f"{self.index % 1_000:03}"]
        rest = self.index // 1_000
        while rest:
            groups.append(f"x{rest % 1_000:03}")
            rest //= 1_000
        level = "entries" if self.level is None else str(self.level)
        partial = f".p/{self.width}" if self.width < TILE_WIDTH else ""
        return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"

    @property
    def full(self) -> Self:
        """The full tile at this place."""
        return self.model_copy(update={"width": TILE_WIDTH})

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the tile that a path names; raise TilePathError for any other spelling."""
        found = _PATH.fullmatch(text)
        if found is None:
            raise TilePathError
        level, groups, width = found.groups()
        try:
            path = cls(
                level=None if level == "entries" else int(level),
                index=int(groups.replace("x", "").replace("/", "")),
                width=TILE_WIDTH if width is None else int(width),
            )
        except ValueError:
            raise TilePathError from None
        if path.text != text:  # leading groups of zeros, or 256 as the width of a partial one
            raise TilePathError
        return path

    def require_within(self, size: int) -> None:
        """Raise TileOutsideError unless a tree of `size` entries has all that this tile holds."""
        if self.width > derive_width(self.level, self.index, size):
            raise TileOutsideError


def derive_width(level: int | None, index: int, size: int) -> int:
    """Return how many hashes (or entries) a tile has in a tree of `size` entries: 0 to 256."""
    nodes = size >> (TILE_HEIGHT * (level or 0))
    return min(max(nodes - index * TILE_WIDTH, 0), TILE_WIDTH)


def derive_tile(level: int | None, index: int, size: int) -> TilePath:
    """Return the name of the widest tile at a place in a tree of `size`; raise TileOutsideError."""
    width = derive_width(level, index, size)
    if not width:
        raise TileOutsideError
    return TilePath(level=level, index=index, width=width)


def derive_tiles(size: int) -> Iterator[TilePath]:
    """Yield the name of every tile of hashes in a tree of `size` entries, lowest level first."""
    level = 0
    while nodes := size >> (TILE_HEIGHT * level):
        for index in range(-(-nodes // TILE_WIDTH)):
            yield derive_tile(level, index, size)
        level += 1


def derive_tile_of_node(level: int, index: int, size: int) -> TilePath:
    """Return the tile from whose hashes the complete subtree (`level`, `index`) can be computed.

    Raises:
        TileOutsideError: the subtree is not complete in a tree of `size` entries.
    """
    tile_level = level // TILE_HEIGHT
    first = index << (level % TILE_HEIGHT)
    path = derive_tile(tile_level, first // TILE_WIDTH, size)
    if first % TILE_WIDTH + (1 << (level % TILE_HEIGHT)) > path.width:
        raise TileOutsideError
    return path


def derive_node(hashes: Sequence[bytes], level: int, index: int) -> bytes:
    """Return the hash of the subtree (`level`, `index`) from the hashes of its tile."""
    count = 1 << (level % TILE_HEIGHT)
    first = (index << (level % TILE_HEIGHT)) % TILE_WIDTH
    return derive_root(hashes[first : first + count])


def decode_tile(data: bytes, width: int) -> list[bytes]:
    """Return the hashes of a tile; raise TileContentError unless there are `width` of them."""
    if len(data) != width * HASH_LENGTH:
        raise TileContentError
    return [data[start : start + HASH_LENGTH] for start in range(0, len(data), HASH_LENGTH)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of some entries; raise TileContentError where one is too long."""
    if any(len(entry) > _LONGEST_ENTRY for entry in entries):
        raise TileContentError
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle; raise TileContentError unless there are exactly `width`."""
    entries = []
    position = 0
    for _ in range(width):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        if len(data) < position or start > len(data):
            raise TileContentError
        entries.append(data[start:position])
    if position != len(data):
        raise TileContentError
    return entries


class TreeEdge:
    """The right edge of a tree in tiles: the hashes of the last, partial tile of every level.

    With it a tree grows, its full tiles come out as they fill up, and its root is known.
    """

    def __init__(self, size: int = 0, levels: Sequence[Sequence[bytes]] = ()) -> None:
        """Take up an edge; raise TileContentError unless `levels` are those of `size`."""
        self.size = size
        self._levels = [list(hashes) for hashes in levels]
        if [len(hashes) for hashes in self._levels] != _derive_edge_widths(size):
            raise TileContentError

    @property
    def levels(self) -> tuple[tuple[bytes, ...], ...]:
        """The hashes of the partial tile of each level, lowest first; one may be empty."""
        return tuple(tuple(hashes) for hashes in self._levels)

    @property
    def root(self) -> bytes:
        """The root over all leaves (RFC 9162 section 2.1.1)."""
        nodes: list[bytes] = []
        for hashes in self._levels:
            nodes = [derive_root([*hashes, *nodes])] if hashes or nodes else []
        return derive_root(nodes)

    def copy(self) -> TreeEdge:
        """Return an edge that grows on its own."""
        return TreeEdge(self.size, self._levels)

    def serialise(self) -> bytes:
        """Return the hashes of all levels in one string; the size says where each begins."""
        return b"".join(value for hashes in self._levels for value in hashes)

    @classmethod
    def read(cls, size: int, data: bytes) -> TreeEdge:
        """Return the edge of `size` that `serialise` wrote; raise TileContentError."""
        levels = []
        for width in _derive_edge_widths(size):
            levels.append(decode_tile(data[: width * HASH_LENGTH], width))
            data = data[width * HASH_LENGTH :]
        if data:
            raise TileContentError
        return cls(size, levels)

    def grow(self, leaf_hashes: Sequence[bytes]) -> Iterator[tuple[TilePath, tuple[bytes, ...]]]:
        """Add leaves and yield each tile that became full; the edge is whole at the end only."""
        position = 0
        while position < len(leaf_hashes):
            taken = leaf_hashes[position : position + TILE_WIDTH - self.size % TILE_WIDTH]
            position += len(taken)
            self._add(0, taken)
            self.size += len(taken)
            level = 0
            while len(self._levels[level]) == TILE_WIDTH:
                hashes = tuple(self._levels[level])
                self._levels[level] = []
                index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
                yield TilePath(level=level, index=index), hashes
                self._add(level + 1, [derive_root(hashes)])
                level += 1

    def partial_tiles(self) -> Iterator[tuple[TilePath, tuple[bytes, ...]]]:
        """Yield the partial tiles of this size, with their hashes."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                index = self.size >> (TILE_HEIGHT * (level + 1))
                yield TilePath(level=level, index=index, width=len(hashes)), tuple(hashes)

    def has_root(self, root: bytes) -> bool:
        """Tell whether this is the root over all leaves."""
        return hmac.compare_digest(self.root, root)

    def _add(self, level: int, hashes: Sequence[bytes]) -> None:
        while len(self._levels) <= level:
            self._levels.append([])
        self._levels[level] += hashes


def _derive_edge_widths(size: int) -> list[int]:
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size >>= TILE_HEIGHT
    return widths
