"""The first levels of the tree over all tags, in memory, and what is added but not yet kept.

Nodes by number: 1 is the root, 2n and 2n+1 are the halves of n. Each has its hash and how many tags
lie below it, as none, one or many: a tag that is alone stands for itself, however high.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from mmap import mmap

from datwat.protocol.tag_tree import TAG_LENGTH

NONE, ONE, MANY = 0, 1, 2
_NODES_AT_ONCE = 256

Node = tuple[bytes, int]
"""Hash and kind of a node."""


class Top:
    """The hashes of the first levels and how many tags lie below each: none, one, or many."""

    def __init__(self, bits: int) -> None:
        self._hashes = mmap(-1, TAG_LENGTH << (bits + 1))  # zeros, and no memory before it is used
        self._kinds = bytearray(2 << bits)

    def hash(self, node: int) -> bytes:
        """Return the hash of a node."""
        return self._hashes[node * TAG_LENGTH : (node + 1) * TAG_LENGTH]

    def kind(self, node: int) -> int:
        """Return NONE, ONE or MANY."""
        return self._kinds[node]

    def read(self, node: int) -> Node:
        """Return hash and kind of a node."""
        return self._hashes[node * TAG_LENGTH : (node + 1) * TAG_LENGTH], self._kinds[node]

    def put(self, node: int, digest: bytes, kind: int) -> None:
        """Set a node."""
        self._hashes[node * TAG_LENGTH : (node + 1) * TAG_LENGTH] = digest
        self._kinds[node] = kind

    def put_all(self, nodes: Mapping[int, Node]) -> None:
        """Set these nodes."""
        hashes, kinds = self._hashes, self._kinds
        for node, (digest, kind) in nodes.items():
            hashes[node * TAG_LENGTH : (node + 1) * TAG_LENGTH] = digest
            kinds[node] = kind


class Layer:
    """What differs from what lies below while tags are added to it."""

    def __init__(self, base: Top | Layer, size: int) -> None:
        self.size = size
        self.base = base
        self.is_marked = False
        self._changed: dict[int, Node] = {}

    def hash(self, node: int) -> bytes:
        """Return the hash of a node."""
        found = self._changed.get(node)
        return self.base.hash(node) if found is None else found[0]

    def kind(self, node: int) -> int:
        """Return NONE, ONE or MANY."""
        found = self._changed.get(node)
        return self.base.kind(node) if found is None else found[1]

    def read(self, node: int) -> Node:
        """Return hash and kind of a node."""
        return self._changed.get(node) or self.base.read(node)

    def put(self, node: int, digest: bytes, kind: int) -> None:
        """Set a node."""
        self._changed[node] = (digest, kind)

    def put_all(self, nodes: Mapping[int, Node]) -> None:
        """Set these nodes."""
        self._changed.update(nodes)

    def take_in(self, above: Layer) -> None:
        """Become this layer and the one above it in one."""
        self._changed.update(above._changed)
        self.size = above.size

    def apply(self, top: Top) -> None:
        """Make the difference there."""
        top.put_all(self._changed)


def go_on() -> None:
    """Take no rest: nobody else waits."""


def raise_nodes(top: Top | Layer, nodes: Sequence[int], rest: Callable[[], None] = go_on) -> None:
    """Hash what lies above nodes of one depth (in order) anew, up to the root.

    `rest` is called every few hundred nodes: other threads get no turn from pure Python for 5 ms.
    """
    read = top.read
    fresh = {node: read(node) for node in nodes}
    while nodes and nodes[0] > 1:
        below, fresh = fresh, {}
        nodes = list(dict.fromkeys([node >> 1 for node in nodes]))
        for start in range(0, len(nodes), _NODES_AT_ONCE):
            _hash_above(top, nodes[start : start + _NODES_AT_ONCE], below, fresh)
            rest()
        top.put_all(fresh)


def _hash_above(
    top: Top | Layer, nodes: Sequence[int], below: Mapping[int, Node], fresh: dict[int, Node]
) -> None:
    read, sha256 = top.read, hashlib.sha256
    for node in nodes:
        # One of the halves was hashed just now, the other one perhaps too.
        left, left_kind = below.get(2 * node) or read(2 * node)
        right, right_kind = below.get(2 * node + 1) or read(2 * node + 1)
        if left_kind + right_kind > ONE:  # by hand: it is the loop of a new root
            fresh[node] = sha256(b"\x01" + left + right).digest(), MANY
        else:  # a tag that is alone stands for itself, however high
            fresh[node] = left if left_kind else right, left_kind + right_kind
