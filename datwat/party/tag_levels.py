"""The first levels of the tree over all tags, in memory, and what is added but not yet kept.

Nodes by number: 1 is the root, 2n and 2n+1 are the halves of n. Each has its hash and how many tags
lie below it, as none, one or many: a tag that is alone stands for itself, however high.
"""

from __future__ import annotations

from collections.abc import Sequence
from mmap import mmap

from datwat.protocol.merkle import hash_node
from datwat.protocol.tag_tree import TAG_LENGTH

NONE, ONE, MANY = 0, 1, 2


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

    def put(self, node: int, digest: bytes, kind: int) -> None:
        """Set a node."""
        self._hashes[node * TAG_LENGTH : (node + 1) * TAG_LENGTH] = digest
        self._kinds[node] = kind


class Layer:
    """What differs from what lies below while tags are added to it."""

    def __init__(self, base: Top | Layer, size: int) -> None:
        self.size = size
        self.base = base
        self.is_marked = False
        self._changed: dict[int, tuple[bytes, int]] = {}

    def hash(self, node: int) -> bytes:
        """Return the hash of a node."""
        found = self._changed.get(node)
        return self.base.hash(node) if found is None else found[0]

    def kind(self, node: int) -> int:
        """Return NONE, ONE or MANY."""
        found = self._changed.get(node)
        return self.base.kind(node) if found is None else found[1]

    def put(self, node: int, digest: bytes, kind: int) -> None:
        """Set a node."""
        self._changed[node] = (digest, kind)

    def take_in(self, above: Layer) -> None:
        """Become this layer and the one above it in one."""
        self._changed.update(above._changed)
        self.size = above.size

    def apply(self, top: Top) -> None:
        """Make the difference there."""
        for node, (digest, kind) in self._changed.items():
            top.put(node, digest, kind)


def raise_nodes(top: Top | Layer, nodes: Sequence[int]) -> None:
    """Hash what lies above nodes of one depth (in order) anew, up to the root."""
    while nodes and nodes[0] > 1:
        nodes = list(dict.fromkeys(node >> 1 for node in nodes))
        for node in nodes:
            left, right = 2 * node, 2 * node + 1
            count = top.kind(left) + top.kind(right)
            if count > ONE:
                top.put(node, hash_node(top.hash(left), top.hash(right)), MANY)
            else:  # a tag that is alone stands for itself, however high
                top.put(node, top.hash(left if top.kind(left) else right), count)
