"""The tree as the writer grows it and as proofs read it.

Rule: a subtree's hash never changes once it is complete, so it can be cached for as long as the
tree that is held here leads to the one in the store; what is not in the cache comes from the store,
and what is missing there means that the log was damaged.
Source: RFC 9162 section 2.1.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from sqlalchemy import Connection

from broker.audit.ports import LogStore, NodeRow
from broker.audit.records import LogDamagedError
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_peaks, derive_root_of_peaks, hash_node

_CACHED_NODES = 65_536
# What others wrote since is hashed anew up to so many entries; beyond it the edge is read.
_MOST_HASHED = 4_096


class Frontier:
    """The right edge of the tree: the complete subtrees that a new leaf will be joined with."""

    def __init__(self, size: int, peaks: Sequence[bytes]) -> None:
        self.size = size
        self._peaks = list(peaks)

    def copy(self) -> Frontier:
        """Return a frontier that grows on its own."""
        return Frontier(self.size, self._peaks)

    def append(self, leaf_hash: bytes) -> list[NodeRow]:
        """Add a leaf and return every subtree that became complete, itself (level 0) first."""
        index = self.size
        rows = [NodeRow(0, index, leaf_hash)]
        current, level = leaf_hash, 0
        while self.size >> level & 1:
            current = hash_node(self._peaks.pop(), current)
            level += 1
            rows.append(NodeRow(level, index >> level, current))
        self._peaks.append(current)
        self.size += 1
        return rows

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        return derive_root_of_peaks(self._peaks)


def fetch_frontier(store: LogStore, connection: Connection, size: int) -> Frontier:
    """Return the right edge at `size`, from the store; raise LogDamagedError if a part is gone."""
    peaks = []
    for level, index in derive_peaks(size):
        found = store.fetch_nodes(connection, level, [index]).get(index)
        if found is None:
            raise LogDamagedError
        peaks.append(found)
    return Frontier(size, peaks)


class TreeReader:
    """Reads complete subtrees through a bounded cache; safe to use from several threads."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, rows: Sequence[NodeRow]) -> None:
        """Keep hashes that were just committed."""
        with self._lock:
            for row in rows:
                self._cache[row.level, row.index] = row.hash
            while len(self._cache) > _CACHED_NODES:
                self._cache.popitem(last=False)

    def forget(self) -> None:
        """Let go of all hashes: each is read from the store again."""
        with self._lock:
            self._cache.clear()

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raise LogDamagedError if it is not there."""
        key = (level, index)
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                return found
        with self._store.reading() as connection:
            found = self._store.fetch_nodes(connection, level, [index]).get(index)
        if found is None:
            raise LogDamagedError
        self.remember([NodeRow(level, index, found)])
        return found


class Edge:
    """The right edge as this process last saw it, moved on over what other processes wrote since.

    Their entries are hashed here once more: the nodes that proofs need are then at hand, and a tree
    that was computed otherwise is noticed. Safe to use from several threads.
    """

    def __init__(self, store: LogStore, tree: TreeReader) -> None:
        self._store = store
        self._tree = tree
        self._held: Frontier | None = None

    def reach(self, connection: Connection, size: int, root: bytes) -> Frontier:
        """Return the edge at a committed head, for the caller to grow; raise LogDamagedError."""
        held = self._held
        frontier = None if held is None else self._follow(connection, held, size)
        if frontier is None or frontier.root != root:
            # The database may have been put back since: what is remembered of the tree that was
            # would then hide from the signer that what it signed is not in this one.
            self._tree.forget()
            frontier = fetch_frontier(self._store, connection, size)
        if frontier.root != root:
            raise LogDamagedError
        self.hold(frontier)
        return frontier.copy()

    def hold(self, frontier: Frontier) -> None:
        """Keep an edge that is committed; nobody may grow it any more."""
        held = self._held
        if held is None or frontier.size > held.size:
            self._held = frontier

    def _follow(self, connection: Connection, held: Frontier, size: int) -> Frontier | None:
        if held.size == size:
            return held
        if not 0 < size - held.size <= _MOST_HASHED:
            return None
        frontier, nodes = held.copy(), list[NodeRow]()
        for entry in self._store.fetch_entries(connection, held.size, size):
            nodes += frontier.append(derive_leaf_hash(entry))
        if frontier.size != size:
            raise LogDamagedError
        self._tree.remember(nodes)
        return frontier
