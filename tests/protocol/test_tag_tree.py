"""The tree over all tags: its definition, proofs of place and of absence, and negatives."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from datwat.protocol import tag_tree
from datwat.protocol.merkle import hash_node
from datwat.protocol.tag_tree import Leaf, TagLeaf, TagProof

# Tags that share long prefixes as well as tags that differ at once.
_TAGS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 255).map(lambda number: bytes(31) + bytes([number])),
)
_LEAVES = st.dictionaries(_TAGS, st.integers(0, 2**40), max_size=24).map(
    lambda found: sorted(found.items())
)


def _root_by_definition(leaves: list[Leaf], depth: int = 0) -> bytes:
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        tag, index = leaves[0]
        body = b"\x00dw-tagleaf/v1\x00" + tag + index.to_bytes(8, "big")
        return hashlib.sha256(body).digest()
    halves: tuple[list[Leaf], list[Leaf]] = ([], [])
    for tag, index in leaves:
        bits = f"{int.from_bytes(tag, 'big'):0256b}"
        halves[int(bits[depth])].append((tag, index))
    return hash_node(
        _root_by_definition(halves[0], depth + 1), _root_by_definition(halves[1], depth + 1)
    )


@given(_LEAVES)
def test_the_root_is_that_of_the_definition(leaves: list[Leaf]) -> None:
    assert tag_tree.derive_tag_root(leaves) == _root_by_definition(leaves)


def test_a_tag_twice_has_no_root() -> None:
    with pytest.raises(tag_tree.TagTwiceError):
        tag_tree.derive_tag_root([(bytes(32), 1), (bytes(32), 2), (b"\xff" * 32, 3)])


@given(_LEAVES)
def test_every_tag_proves_its_place_and_no_absence(leaves: list[Leaf]) -> None:
    root = tag_tree.derive_tag_root(leaves)
    for tag, index in leaves:
        proof = tag_tree.build_tag_proof(leaves, tag)
        tag_tree.require_tag(proof, tag, index, root)
        with pytest.raises(tag_tree.TagProofError):
            tag_tree.require_tag(proof, tag, index + 1, root)
        with pytest.raises(tag_tree.TagProofError):
            tag_tree.require_no_tag(proof, tag, root)


@given(_LEAVES, _TAGS)
def test_what_is_not_there_proves_its_absence(leaves: list[Leaf], tag: bytes) -> None:
    assume(tag not in dict(leaves))
    root = tag_tree.derive_tag_root(leaves)
    proof = tag_tree.build_tag_proof(leaves, tag)
    tag_tree.require_no_tag(proof, tag, root)
    with pytest.raises(tag_tree.TagProofError):
        tag_tree.require_tag(proof, tag, 0, root)


@given(_LEAVES, _TAGS, _TAGS)
def test_the_absence_of_one_tag_says_nothing_about_one_that_is_there(
    leaves: list[Leaf], present: bytes, absent: bytes
) -> None:
    held = dict(leaves) | {present: 7}
    assume(absent not in held)
    ordered = sorted(held.items())
    proof = tag_tree.build_tag_proof(ordered, absent)
    with pytest.raises(tag_tree.TagProofError):
        tag_tree.require_no_tag(proof, present, tag_tree.derive_tag_root(ordered))


@given(_LEAVES.filter(lambda leaves: len(leaves) > 1), st.data())
def test_any_change_of_a_proof_is_refused(leaves: list[Leaf], data: st.DataObject) -> None:
    root = tag_tree.derive_tag_root(leaves)
    tag, index = data.draw(st.sampled_from(leaves))
    proof = tag_tree.build_tag_proof(leaves, tag)
    siblings = list(proof.siblings)
    at = data.draw(st.integers(0, len(siblings) - 1))
    change = data.draw(st.sampled_from(("drop", "flip", "add")))
    if change == "drop":
        del siblings[at]
    elif change == "add":
        siblings.insert(at, hashlib.sha256(b"x").digest())
    else:
        siblings[at] = hashlib.sha256(siblings[at]).digest()
    # One sibling more than a tag has bits is no proof at all.
    with pytest.raises((tag_tree.TagProofError, ValidationError)):
        tag_tree.require_tag(
            TagProof(siblings=tuple(siblings), found=proof.found), tag, index, root
        )


def test_a_leaf_elsewhere_proves_no_absence() -> None:
    one, other = bytes(32), b"\xff" * 32
    leaves = [(one, 0), (other, 1)]
    proof = tag_tree.build_tag_proof(leaves, other)
    wrong = TagProof(siblings=proof.siblings, found=TagLeaf(tag=other, index=1))
    with pytest.raises(tag_tree.TagProofError):
        tag_tree.require_no_tag(wrong, bytes([0x40]) + bytes(31), tag_tree.derive_tag_root(leaves))
