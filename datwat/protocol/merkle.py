"""The Merkle tree of the log: hashes, roots, and proofs built and checked (SHA-256).

Rule: a proof is accepted only if it has exactly the length that its tree sizes ask for and every
hash is 32 bytes; consistency from an empty tree proves nothing and is refused.
Source: RFC 9162 sections 2.1.1 to 2.1.4 (the same tree as RFC 6962 section 2.1).

A builder reads the tree through `node(level, index)`: the hash of the complete subtree over the
leaves [index·2^level, (index+1)·2^level). It asks only for subtrees that lie below the size given.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence

from datwat.protocol.errors import ProtocolError

HASH_LENGTH = 32
MAX_PROOF_LENGTH = 64
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]


class MerkleError(ProtocolError):
    """A proof does not hold, or was asked for a place that the tree does not have."""

    code = "proof_invalid"
    default_detail = "The proof does not fit the tree."


class InclusionError(MerkleError):
    """The leaf is not proved to lie at this index under this root."""

    code = "inclusion_fails"
    default_detail = "The entry is not proved to be in the log."


class ConsistencyError(MerkleError):
    """The later tree is not proved to begin with the earlier one."""

    code = "consistency_fails"
    default_detail = "The later log is not proved to begin with the earlier one."


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def derive_root(leaf_hashes: Iterable[bytes], before: Iterable[tuple[int, bytes]] = ()) -> bytes:
    """Return the root of the tree over these leaf hashes, in their order.

    `before` are (level, hash) of the complete subtrees that lie before them, the largest first.
    """
    peaks = list(before)
    for leaf in leaf_hashes:
        level, current = 0, leaf
        while peaks and peaks[-1][0] == level:
            current = hash_node(peaks.pop()[1], current)
            level += 1
        peaks.append((level, current))
    return derive_root_of_peaks([current for _, current in peaks])


def derive_root_of_peaks(peaks: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees of falling height that follow one another."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hash_node(peak, root)
    return root


def derive_peaks(size: int) -> list[tuple[int, int]]:
    """Return (level, index) of the complete subtrees that make up a tree of `size` leaves."""
    peaks = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append((level, start >> level))
            start += 1 << level
    return peaks


def derive_root_at(node: NodeReader, size: int) -> bytes:
    """Return the root of the first `size` leaves."""
    return _hash_range(node, 0, size) if size else EMPTY_ROOT


def build_inclusion_proof(node: NodeReader, index: int, size: int) -> list[bytes]:
    """Return the path of leaf `index` in the tree of `size` leaves, from leaf to root.

    Raises:
        MerkleError: there is no such leaf.
    """
    return build_inclusion_proofs(node, [index], size)[0]


def build_inclusion_proofs(
    node: NodeReader, indexes: Iterable[int], size: int
) -> list[list[bytes]]:
    """Return the path of each leaf in the tree of `size` leaves, from leaf to root.

    What several paths have in common is read and hashed once.

    Raises:
        MerkleError: there is no such leaf.
    """
    known: dict[tuple[int, int], bytes] = {}
    return [_build_path(node, known, index, size) for index in indexes]


def _build_path(
    node: NodeReader, known: dict[tuple[int, int], bytes], index: int, size: int
) -> list[bytes]:
    if not 0 <= index < size:
        raise MerkleError("There is no such entry in a log of this size.")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            beside, end = (middle, end), middle
        else:
            beside, start = (start, middle), middle
        found = known.get(beside)
        if found is None:
            known[beside] = found = _hash_range(node, *beside)
        path.append(found)
    path.reverse()
    return path


def build_consistency_proof(node: NodeReader, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of `second` leaves begins with that of `first`.

    Raises:
        MerkleError: not 0 < first ≤ second.
    """
    if not 0 < first <= second:
        raise MerkleError("A consistency proof goes from a log with entries to one not smaller.")
    proof: list[bytes] = []
    start, end = 0, second
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_hash_range(node, middle, end))
            end = middle
        else:
            proof.append(_hash_range(node, start, middle))
            start = middle
    if start:
        proof.append(_hash_range(node, start, end))
    proof.reverse()
    return proof


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf lies at `index` in the tree of `size` leaves under `root`.

    Raises:
        InclusionError: it is not proved.
    """
    if not 0 <= index < size or not _are_hashes((leaf_hash, root, *path)):
        raise InclusionError
    current, position, last = leaf_hash, index, size - 1
    for sibling in path:
        if last == 0:
            raise InclusionError
        if position & 1 or position == last:
            current = hash_node(sibling, current)
            position, last = _skip_left_edge(position, last)
        else:
            current = hash_node(current, sibling)
        position >>= 1
        last >>= 1
    if last != 0 or not hmac.compare_digest(current, root):
        raise InclusionError


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Check that the tree (`second`, `second_root`) begins with (`first`, `first_root`).

    Raises:
        ConsistencyError: it is not proved; always so from an empty tree.
    """
    if not 0 < first <= second:
        raise ConsistencyError
    if first == second:
        if proof or not hmac.compare_digest(first_root, second_root):
            raise ConsistencyError
        return
    if not _are_hashes((first_root, second_root, *proof)):
        raise ConsistencyError
    steps = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not steps:
        raise ConsistencyError
    old, new = _climb_both(first, second, steps)
    if not (hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)):
        raise ConsistencyError


def _climb_both(first: int, second: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots to which a consistency proof leads (RFC 9162 section 2.1.4.2)."""
    position, last = first - 1, second - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            raise ConsistencyError
        if position & 1 or position == last:
            old, new = hash_node(sibling, old), hash_node(sibling, new)
            position, last = _skip_left_edge(position, last)
        else:
            new = hash_node(new, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ConsistencyError
    return old, new


def _skip_left_edge(position: int, last: int) -> tuple[int, int]:
    """Climb past the levels at which the node at the right edge has no sibling."""
    while position and not position & 1:
        position >>= 1
        last >>= 1
    return position, last


def _are_hashes(values: Sequence[bytes]) -> bool:
    fits = len(values) <= MAX_PROOF_LENGTH + 2
    return fits and all(len(value) == HASH_LENGTH for value in values)


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count` (> 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _hash_range(node: NodeReader, start: int, end: int) -> bytes:
    """Return the hash over [start, end), where `start` is a multiple of the size's power of two."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    peaks = []
    for level, index in derive_peaks(count):
        peaks.append(node(level, (start >> level) + index))
    return derive_root_of_peaks(peaks)
