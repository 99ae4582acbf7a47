"""The generations of the log before this one: still there to be read, verified and mirrored.

Rules: nothing of them is signed anew, so that what is shown was vouched for in its time; they never
change; an entry that was lost is said with its place. Their inner hashes are not kept: they follow
from the entries, and are kept in memory once somebody asked for them. Anybody may ask: what is
computed stops at the first gap, and gives way to questions after each step.
Source: house reference "audit-log", Format ("the old log stays readable"); C2SP tlog-tiles.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from broker.audit.proofs import SignedHead
from broker.audit.records import LogDamagedError
from broker.audit.tiles import Tiles
from datwat.protocol.checkpoint import parse_checkpoint
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_root
from datwat.protocol.notes import NoteError, parse_note
from datwat.protocol.tiles import TILE_HEIGHT, TILE_WIDTH

_GENERATION = re.compile(r"(.*/)([1-9][0-9]{0,8})", re.ASCII)
# Hashes of 256 entries each: enough for sixteen million entries, in some ten megabytes. Those above
# them are few, and all are kept.
_KEPT_HASHES = 65_536
# About as long as the hashes of 256 entries take.
_PAUSE_SECONDS = 0.0005


class Origin(NamedTuple):
    """A log's name in two: what all its generations share, and which one it is."""

    base: str
    generation: int


def parse_origin(origin: str) -> Origin | None:
    """Return the parts of a log's name; None where it does not end in a generation."""
    found = _GENERATION.fullmatch(origin)
    return None if found is None else Origin(found[1], int(found[2]))


@dataclass(frozen=True, slots=True)
class PastGeneration:
    """How a generation ended: `note` states its last checkpoint, of `size` entries.

    `cosigned` is what witnesses vouched for last, as far as the database knew.
    """

    origin: str
    note: bytes
    size: int
    cosigned: bytes | None


class PastStore(Protocol):
    """Durable store of what was public of the generations before."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection that sees what was committed."""
        ...

    def list_generations(self, connection: Connection) -> Sequence[PastGeneration]:
        """Return every generation that ended."""
        ...

    def fetch_entries(
        self, connection: Connection, origin: str, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of its entries in [start:end) that are there, in order."""
        ...


class PastLog:
    """One generation's tree, over its entries alone; safe in several threads."""

    def __init__(self, store: PastStore, generation: PastGeneration) -> None:
        self.size = generation.size
        self._store = store
        self._origin = generation.origin
        self._lowest: OrderedDict[int, bytes] = OrderedDict()
        self._above: dict[tuple[int, int], bytes] = {}
        self._lock = threading.Lock()

    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection that sees what was committed."""
        return self._store.reading()

    def fetch_entries(
        self, connection: Connection, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of the entries of log[start:end) that are there, in order."""
        return self._store.fetch_entries(connection, self._origin, start, end)

    def fetch_hashes(
        self, connection: Connection, level: int, start: int, end: int
    ) -> Sequence[bytes]:
        """Return the hashes of complete subtrees of height `level`, a multiple of 8.

        As many as are there, up to the first over an entry that is gone.
        """
        if level == 0:
            found = self.fetch_entries(connection, start, end)
            return [derive_leaf_hash(entry) for _, entry in found]
        made: list[bytes] = []
        for index in range(start, end):
            found_hash = self._find_hash(connection, level, index)
            if found_hash is None:
                break
            made.append(found_hash)
        return made

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raise LogDamagedError where an entry is gone."""
        rest = level % TILE_HEIGHT
        start, end = index << rest, (index + 1) << rest
        with self.reading() as connection:
            hashes = self.fetch_hashes(connection, level - rest, start, end)
        if len(hashes) != end - start:
            raise LogDamagedError
        return derive_root(hashes)

    def _find_hash(self, connection: Connection, level: int, index: int) -> bytes | None:
        is_lowest = level == TILE_HEIGHT
        with self._lock:
            found = self._lowest.get(index) if is_lowest else self._above.get((level, index))
        if found is not None:
            return found
        start = index * TILE_WIDTH
        hashes = self.fetch_hashes(connection, level - TILE_HEIGHT, start, start + TILE_WIDTH)
        if len(hashes) != TILE_WIDTH:
            return None
        made = derive_root(hashes)
        with self._lock:
            if is_lowest:
                self._lowest[index] = made
                if len(self._lowest) > _KEPT_HASHES:
                    self._lowest.popitem(last=False)
            else:
                self._above[level, index] = made
        # None of it changes, and one long read would keep SQLite from emptying its journal.
        connection.rollback()
        time.sleep(_PAUSE_SECONDS)
        return made


class ShownLog(NamedTuple):
    """What outsiders read of a generation: its tiles, and the checkpoint that it is shown with."""

    tiles: Tiles
    head: SignedHead

    def read_head(self) -> SignedHead:
        """Return the checkpoint, which is always the same."""
        return self.head


@dataclass(frozen=True, slots=True)
class Generations:
    """Which generation this log is, None for a log without one, and those before it."""

    number: int | None = None
    before: Mapping[int, ShownLog] = field(default_factory=dict)


def load_generations(store: PastStore, origin: str) -> Generations:
    """Return the generations before the log of this name."""
    this = parse_origin(origin)
    if this is None:
        return Generations()
    with store.reading() as connection:
        found = store.list_generations(connection)
    before = {}
    for one in found:
        name = parse_origin(one.origin)
        if name is not None and name.base == this.base and name.generation < this.generation:
            log = PastLog(store, one)
            before[name.generation] = ShownLog(Tiles(log, log), choose_head(one))
    return Generations(this.generation, before)


def choose_head(generation: PastGeneration) -> SignedHead:
    """Return the checkpoint to show: the newest of which the database knew that witnesses vouched.

    Without one the last that was signed; whatever is left of it in either case.
    """
    if generation.cosigned is not None:
        with suppress(NoteError):
            size = parse_checkpoint(parse_note(generation.cosigned).text).size
            return SignedHead(generation.cosigned.decode(), size)
    return SignedHead(generation.note.decode(), generation.size)
