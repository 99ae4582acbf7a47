"""The log as tiles, bundles of entries and proofs, from its rows: what outsiders read.

Rules: what lies beyond the signed size is not given out; one request reads at most 256 rows; full
tiles never change and are kept in memory, the last used ones. A row that is missing is said, with
the place: whoever verifies must learn of it. Source: C2SP tlog-tiles, tlog-proof.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.proofs import SignedHead
from broker.audit.records import LogDamagedError, LogError
from datwat.protocol.merkle import build_inclusion_proof
from datwat.protocol.tiles import TILE_HEIGHT, TILE_WIDTH, TileOutsideError, TilePath, encode_bundle
from datwat.protocol.tlog_proof import TlogProof

_KEPT = 512
_HIGHEST_NODE = 62


class LogGapError(LogError):
    """Entries or hashes that the log signed are not in its database any more."""

    code = "log_gap"
    default_detail = "The log cannot show what it signed: entries are missing in its database."

    @classmethod
    def at(cls, path: TilePath) -> LogGapError:
        """Return the error for a tile, whose name says where."""
        return cls(f"The log cannot show {path.text}, which it signed: rows are missing there.")

    @classmethod
    def beside(cls, index: int) -> LogGapError:
        """Return the error for a proof that needs an entry which is gone."""
        return cls(
            f"The log cannot prove entry {index}, which it signed: rows are missing near it."
        )


class EntryOutsideError(TileOutsideError):
    """No such entry under the checkpoint that is shown."""

    code = "entry_outside"
    default_detail = "The log has no entry with this index under the checkpoint that it shows."


class GenerationUnknownError(TileOutsideError):
    """No such generation of this log."""

    code = "generation_unknown"
    default_detail = "The log has no such generation here: leave the number out for the newest."


class SignedTree(Protocol):
    """A tree of which `size` entries were signed."""

    @property
    def size(self) -> int:
        """How many entries were signed."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raise LogDamagedError if it is not there."""
        ...


class TileStore(Protocol):
    """The entries and hashes of a tree (see `PublicationStore`)."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection that sees what was committed."""
        ...

    def fetch_entries(
        self, connection: Connection, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of the entries of log[start:end) that are there, in order."""
        ...

    def fetch_hashes(
        self, connection: Connection, level: int, start: int, end: int
    ) -> Sequence[bytes]:
        """Return the hashes of complete subtrees of height `level`, as many as there are."""
        ...


class Tiles:
    """Reads tiles and proofs; blocks on the database, safe in several threads."""

    def __init__(self, log: SignedTree, store: TileStore) -> None:
        self._log = log
        self._store = store
        self._kept: OrderedDict[TilePath, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: TilePath) -> bytes:
        """Return the bytes of a tile or bundle.

        Raises:
            TileOutsideError: not within the signed size.
            LogGapError: it was signed, and is not there.
        """
        path.require_within(self._log.size)
        with self._lock:
            found = self._kept.get(path)
            if found is not None:
                self._kept.move_to_end(path)
                return found
        data = self._build(path)
        if path.width == TILE_WIDTH:
            with self._lock:
                self._kept[path] = data
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return data

    def build_proof(self, index: int, head: SignedHead) -> bytes:
        """Return the proof of the entry at `index` under `head`.

        Raises:
            EntryOutsideError: no such entry there.
            LogGapError: what it is made of was signed, and is not there.
        """
        if not 0 <= index < head.size:
            raise EntryOutsideError
        try:
            path = build_inclusion_proof(self._log.node, index, head.size)
        except LogDamagedError:
            raise LogGapError.beside(index) from None
        proof = TlogProof(index=index, path=tuple(path), checkpoint=head.note.encode())
        return proof.serialise()

    def _build(self, path: TilePath) -> bytes:
        start = path.index * TILE_WIDTH
        end = start + path.width
        level = TILE_HEIGHT * (path.level or 0)
        if level > _HIGHEST_NODE:
            raise TileOutsideError
        with self._store.reading() as connection:
            if path.level is None:
                rows = [entry for _, entry in self._store.fetch_entries(connection, start, end)]
            else:
                rows = list(self._store.fetch_hashes(connection, level, start, end))
        if len(rows) != path.width:
            raise LogGapError.at(path)
        return encode_bundle(rows) if path.level is None else b"".join(rows)
