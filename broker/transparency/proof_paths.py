"""Paths and peaks of many entries at once, read from the store level by level.

Rule: what a proof is made of never changes once it is there, so any view of the database that holds
the entries gives the same. Source: RFC 9162 section 2.1.3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection

from broker.audit.ports import LogStore
from broker.audit.records import LogDamagedError
from datwat.protocol.merkle import build_inclusion_proof, derive_peaks

_AT_ONCE = 500


class Paths:
    """Inclusion paths under one size: say what is wanted, load it, then ask for it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._wanted: defaultdict[int, set[int]] = defaultdict(set)
        self._hashes: dict[tuple[int, int], bytes] = {}

    def want(self, indexes: Iterable[int]) -> None:
        """Note all that the paths of these entries are made of."""
        for index in indexes:
            build_inclusion_proof(self._note, index, self._size)

    def want_peaks(self, size: int) -> None:
        """Note the complete subtrees of the first `size` entries."""
        for level, index in derive_peaks(size):
            self._note(level, index)

    def load(self, connection: Connection, store: LogStore) -> None:
        """Read what was noted; raise LogDamagedError if a part is gone."""
        for level, indexes in self._wanted.items():
            ordered = sorted(indexes)
            for start in range(0, len(ordered), _AT_ONCE):
                some = ordered[start : start + _AT_ONCE]
                found = store.fetch_nodes(connection, level, some)
                if len(found) != len(some):
                    raise LogDamagedError
                self._hashes.update(((level, index), value) for index, value in found.items())

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the path of an entry that was wanted."""
        return tuple(build_inclusion_proof(self._read, index, self._size))

    def peaks(self, size: int) -> tuple[bytes, ...]:
        """Return the complete subtrees of a size that was wanted, the largest first."""
        return tuple(self._read(level, index) for level, index in derive_peaks(size))

    def _note(self, level: int, index: int) -> bytes:
        self._wanted[level].add(index)
        return b""  # nobody looks at what is made of it

    def _read(self, level: int, index: int) -> bytes:
        return self._hashes[level, index]
