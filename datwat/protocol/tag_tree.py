r"""The second tree: all tags of the log in their order, so that an empty place can be proved.

Rule: the tree is a pure function of the set of tags, wherever and in whatever order it was built,
and a tag cannot be in it twice. Whoever follows the log recomputes every root.

    leaf(tag, index) = SHA-256(00 ‖ "dw-tagleaf/v1\0" ‖ tag ‖ u64 index)
    node(left, right) = SHA-256(01 ‖ left ‖ right)
    root({}) = 0³²      root({one}) = its leaf
    root(many) at depth d = node(those whose bit d is 0, those whose bit d is 1)

Bit 0 is the highest bit of the first byte. A proof is the siblings on the way down to where a tag
lies or would lie: to its leaf, to an empty place, or to the only other tag under that prefix.
Source: docs/decisions/0014; hashes as in RFC 9162 section 2.1.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import hash_leaf, hash_node
from datwat.protocol.values import Bytes32, Value

EMPTY = bytes(32)
TAG_LENGTH = 32
MAX_DEPTH = 256
_LEAF_LABEL = b"dw-tagleaf/v1\x00"
_LEAF_PREFIX = b"\x00" + _LEAF_LABEL

Leaf = tuple[bytes, int]
"""A tag, and the index of its entry in the log."""


class TagProofError(ProtocolError):
    """A proof about a tag does not hold."""

    code = "tag_proof_invalid"
    default_detail = "The place of this tag among all tags is not proved."


class TagTwiceError(ProtocolError):
    """Two entries of the log have one tag: the log is invalid."""

    code = "tag_twice"
    default_detail = "Two entries of the log carry the same tag, which no honest log does."


class TagLeaf(Value):
    """A tag and the index of its entry, as a proof shows it."""

    tag: Bytes32
    index: int = Field(ge=0, lt=2**63)


class TagProof(Value):
    """The way from the root down to a place: the siblings, and what lies at its end.

    `found` is None where the place is empty.
    """

    siblings: Annotated[tuple[Bytes32, ...], Field(max_length=MAX_DEPTH)]
    found: TagLeaf | None


def derive_tag_leaf(tag: bytes, index: int) -> bytes:
    """Return the leaf hash of a tag whose entry lies at `index`."""
    return hash_leaf(_LEAF_LABEL + tag + index.to_bytes(8, "big"))


def derive_tag_root(leaves: Sequence[Leaf], depth: int = 0) -> bytes:
    """Return the root over leaves in strictly increasing order of their tags.

    `depth` is how many first bits they share: that of the subtree whose root is wanted.

    Raises:
        TagTwiceError: two leaves have one tag.
    """
    if not leaves:
        return EMPTY
    # One pass with a stack, and hashes by hand, as every page of a new root goes through here.
    # Between two subtrees on the stack stands the bit by which they differ, the deepest on top.
    before, sha256 = 0, hashlib.sha256
    hashes: list[bytes] = []
    splits: list[int] = []
    for tag, index in leaves:
        current = int.from_bytes(tag, "big")
        if hashes:
            split = MAX_DEPTH - (current ^ before).bit_length()
            if split == MAX_DEPTH:
                raise TagTwiceError
            if splits and splits[-1] > split:
                _join(hashes, splits, before, split + 1)
            splits.append(split)
        hashes.append(sha256(_LEAF_PREFIX + tag + index.to_bytes(8, "big")).digest())
        before = current
    _join(hashes, splits, before, depth)
    return hashes[0]


def _join(hashes: list[bytes], splits: list[int], tag: int, least: int) -> None:
    """Make one of the last subtrees: all that differ at bit `least` or deeper.

    It is raised to the depth where it hangs; `tag`, any below it, says on which side of an empty
    half it lies on the way up.
    """
    sha256 = hashlib.sha256
    current = hashes.pop()
    while splits and splits[-1] >= least:
        split = splits.pop()
        current = sha256(b"\x01" + hashes.pop() + current).digest()
        top = splits[-1] + 1 if splits and splits[-1] >= least else least
        for depth in range(split - 1, top - 1, -1):
            is_right = tag >> (MAX_DEPTH - 1 - depth) & 1
            halves = EMPTY + current if is_right else current + EMPTY
            current = sha256(b"\x01" + halves).digest()
    hashes.append(current)


def build_tag_proof(leaves: Sequence[Leaf], tag: bytes, depth: int = 0) -> TagProof:
    """Return the proof that `tag` lies among these leaves, or that it does not; see the root."""
    siblings = []
    while len(leaves) > 1:
        split = _find_split(leaves, depth)
        left, right = leaves[:split], leaves[split:]
        leaves, other = (right, left) if tag_bit(tag, depth) else (left, right)
        depth += 1
        siblings.append(derive_tag_root(other, depth))
    found = TagLeaf(tag=leaves[0][0], index=leaves[0][1]) if leaves else None
    return TagProof(siblings=tuple(siblings), found=found)


def require_tag(proof: TagProof, tag: bytes, index: int, root: bytes) -> None:
    """Check that `tag` lies under `root` as the tag of the entry at `index`.

    Raises:
        TagProofError: it does not, or the proof is another place's.
    """
    found = proof.found
    if found is None or found.index != index or not hmac.compare_digest(found.tag, tag):
        raise TagProofError
    _require_place(proof, tag, root)


def require_no_tag(proof: TagProof, tag: bytes, root: bytes) -> None:
    """Check that no entry under `root` has `tag`.

    Raises:
        TagProofError: one has, or the proof is another place's.
    """
    found = proof.found
    if found is not None:
        depth = len(proof.siblings)
        same = all(tag_bit(found.tag, bit) == tag_bit(tag, bit) for bit in range(depth))
        if not same or hmac.compare_digest(found.tag, tag):
            raise TagProofError
    _require_place(proof, tag, root)


def tag_bit(tag: bytes, depth: int) -> int:
    """Return bit `depth` of a tag; bit 0 is the highest of its first byte."""
    return tag[depth >> 3] >> (7 - (depth & 7)) & 1


def _require_place(proof: TagProof, tag: bytes, root: bytes) -> None:
    found = proof.found
    current = EMPTY if found is None else derive_tag_leaf(found.tag, found.index)
    for depth in range(len(proof.siblings) - 1, -1, -1):
        sibling = proof.siblings[depth]
        current = (
            hash_node(sibling, current) if tag_bit(tag, depth) else hash_node(current, sibling)
        )
    if not hmac.compare_digest(current, root):
        raise TagProofError


def _find_split(leaves: Sequence[Leaf], depth: int) -> int:
    """Return how many of the ordered leaves have a 0 at bit `depth`."""
    low, high = 0, len(leaves)
    while low < high:
        middle = (low + high) // 2
        if tag_bit(leaves[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    return low
