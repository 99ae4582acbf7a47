"""The Merkle tree against published vectors, its definition, and negatives of our own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import merkle

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "merkle-proofs.json").read_text())


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _holds(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except merkle.MerkleError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(VECTORS["inclusion"]))
def test_published_inclusion_vectors(name: str) -> None:
    case = VECTORS["inclusion"][name]
    holds = _holds(
        merkle.verify_inclusion,
        _bytes(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [_bytes(text) for text in case["proof"] or []],
        _bytes(case["root"]),
    )
    assert holds is not case["wantErr"]


@pytest.mark.parametrize("name", sorted(VECTORS["consistency"]))
def test_published_consistency_vectors(name: str) -> None:
    case = VECTORS["consistency"][name]
    holds = _holds(
        merkle.verify_consistency,
        case["size1"],
        case["size2"],
        [_bytes(text) for text in case["proof"] or []],
        _bytes(case["root1"]),
        _bytes(case["root2"]),
    )
    assert holds is not case["wantErr"]


def _leaves(count: int) -> list[bytes]:
    return [merkle.hash_leaf(number.to_bytes(4, "big")) for number in range(count)]


def _root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word by word."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.hash_node(
        _root_by_definition(leaves[:split]), _root_by_definition(leaves[split:])
    )


def _reader(leaves: list[bytes], limit: int) -> merkle.NodeReader:
    def read(level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        assert end <= limit, "a builder asked for a subtree that is not complete"
        return _root_by_definition(leaves[start:end])

    return read


def test_every_proof_of_every_small_tree_holds() -> None:
    leaves = _leaves(20)
    roots = [_root_by_definition(leaves[:size]) for size in range(21)]
    for size in range(21):
        node = _reader(leaves, size)
        assert merkle.derive_root(leaves[:size]) == roots[size]
        assert merkle.derive_root_at(node, size) == roots[size]
        for index in range(size):
            path = merkle.build_inclusion_proof(node, index, size)
            merkle.verify_inclusion(leaves[index], index, size, path, roots[size])
        for first in range(1, size + 1):
            proof = merkle.build_consistency_proof(node, first, size)
            merkle.verify_consistency(first, size, proof, roots[first], roots[size])


@given(data=st.data(), size=st.integers(2, 64))
def test_a_changed_inclusion_proof_fails(data: st.DataObject, size: int) -> None:
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.derive_root(leaves)
    path = merkle.build_inclusion_proof(_reader(leaves, size), index, size)
    place = data.draw(st.integers(0, len(path) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(path[place], "big") ^ (1 << bit)).to_bytes(32, "big")
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    bad = [
        [*path[:place], flipped, *path[place + 1 :]],
        [*path[:place], *path[place + 1 :]],
        [*path, path[-1]],
        [*path[:place], path[place][:31], *path[place + 1 :]],
        [],
    ]
    for changed in bad:
        assert not _holds(merkle.verify_inclusion, leaves[index], index, size, changed, root)
    assert not _holds(merkle.verify_inclusion, leaves[index], other, size, path, root)
    assert not _holds(merkle.verify_inclusion, leaves[other], index, size, path, root)


@given(data=st.data(), second=st.integers(2, 64))
def test_a_fork_has_no_consistency_proof(data: st.DataObject, second: int) -> None:
    first = data.draw(st.integers(1, second - 1))
    leaves = _leaves(second)
    forked = list(leaves)
    forked[data.draw(st.integers(0, first - 1))] = merkle.hash_leaf(b"another entry")
    old_root = merkle.derive_root(leaves[:first])
    for tree in (leaves, forked):
        proof = merkle.build_consistency_proof(_reader(tree, second), first, second)
        new_root = merkle.derive_root(tree)
        holds = _holds(merkle.verify_consistency, first, second, proof, old_root, new_root)
        assert holds is (tree is leaves)
        longer = [*proof, merkle.EMPTY_ROOT]
        assert not _holds(merkle.verify_consistency, first, second, longer, old_root, new_root)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_no_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(merkle.MerkleError):
        merkle.build_inclusion_proof(_reader(_leaves(4), 4), index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 4), (5, 4), (-1, 4)])
def test_no_consistency_proof_from_nothing_or_backwards(first: int, second: int) -> None:
    with pytest.raises(merkle.MerkleError):
        merkle.build_consistency_proof(_reader(_leaves(4), 4), first, second)
    root = merkle.derive_root(_leaves(4))
    assert not _holds(merkle.verify_consistency, first, second, [], root, root)


def test_a_proof_of_absurd_length_is_refused_before_it_is_hashed() -> None:
    path = [merkle.EMPTY_ROOT] * 100_000
    assert not _holds(
        merkle.verify_inclusion, merkle.EMPTY_ROOT, 0, 1 << 62, path, merkle.EMPTY_ROOT
    )
