"""Tiles: the paths of C2SP tlog-tiles, the golden vector, widths, and the edge that grows."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datwat.protocol import tiles
from datwat.protocol.merkle import (
    build_consistency_proof,
    build_inclusion_proof,
    derive_root,
    hash_leaf,
    hash_node,
    verify_consistency,
    verify_inclusion,
)
from datwat.protocol.tiles import TileContentError, TileOutsideError, TilePath, TilePathError

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "tiles.json").read_text())


def entry(index: int) -> bytes:
    tag, commit = (hashlib.sha256(f"{word}{index}".encode()).digest() for word in ("tag", "commit"))
    return b"\x01\x01" + tag + commit


ENTRIES = [entry(index) for index in range(VECTOR["size"])]
LEAVES = [hash_leaf(data) for data in ENTRIES]


def grow(size: int, steps: int = 10_000) -> tuple[tiles.TreeEdge, dict[str, bytes]]:
    edge = tiles.TreeEdge()
    found = {}
    for start in range(0, size, steps):
        for path, hashes in edge.grow(LEAVES[start : min(start + steps, size)]):
            assert path.text not in found
            found[path.text] = b"".join(hashes)
    for path, hashes in edge.partial_tiles():
        found[path.text] = b"".join(hashes)
    return edge, found


def test_golden_vector() -> None:
    edge, found = grow(VECTOR["size"])
    assert edge.root.hex() == VECTOR["root"]
    assert len(found) == VECTOR["count"]
    assert {path.text for path in tiles.derive_tiles(VECTOR["size"])} == set(found)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    assert {name: hashes[name] for name in VECTOR["tiles"]} == VECTOR["tiles"]
    lines = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    assert hashlib.sha256(lines.encode()).hexdigest() == VECTOR["sha256_of_the_sorted_lines"]
    for text, digest in VECTOR["bundles"].items():
        path = TilePath.parse(text)
        start = path.index * 256
        bundle = tiles.encode_bundle(ENTRIES[start : start + path.width])
        assert hashlib.sha256(bundle).hexdigest() == digest
        assert tiles.decode_bundle(bundle, path.width) == ENTRIES[start : start + path.width]
    assert tiles.encode_bundle(ENTRIES[:2]).hex() == VECTOR["bundle_of_two"]


@pytest.mark.parametrize("text", VECTOR["paths"])
def test_published_paths(text: str) -> None:
    level, index, width = VECTOR["paths"][text]
    path = TilePath(level=level, index=index, width=width)
    assert path.text == text
    assert TilePath.parse(text) == path


@given(st.one_of(st.none(), st.integers(0, 63)), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_every_path_has_one_spelling(level: int | None, index: int, width: int) -> None:
    path = TilePath(level=level, index=index, width=width)
    assert TilePath.parse(path.text) == path
    assert path.full.width == 256


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/entry/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(TilePathError):
        TilePath.parse(text)


@given(st.text(alphabet="tile/0123456789x.pents", max_size=40))
def test_parsing_is_total(text: str) -> None:
    with contextlib.suppress(TilePathError):
        assert TilePath.parse(text).text == text


def test_widths() -> None:
    # C2SP tlog-tiles: a tree of 70,000, and one of 256
    widths = [tiles.derive_width(level, index, 70_000) for level, index in ((0, 273), (1, 1))]
    assert widths == [112, 17]
    assert tiles.derive_width(2, 0, 70_000) == 1
    assert tiles.derive_width(3, 0, 70_000) == 0
    assert [path.text for path in tiles.derive_tiles(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert not list(tiles.derive_tiles(0))


def test_a_tile_past_the_end_or_wider_than_the_log_is_refused() -> None:
    for level, index, width in ((0, 273, 112), (1, 1, 17), (2, 0, 1), (None, 273, 1)):
        TilePath(level=level, index=index, width=width).require_within(70_000)
    for level, index, width in (
        (0, 273, 113),
        (0, 273, 256),
        (0, 274, 1),
        (3, 0, 1),
        (None, 2**62, 1),
    ):
        with pytest.raises(TileOutsideError):
            TilePath(level=level, index=index, width=width).require_within(70_000)
    with pytest.raises(TileOutsideError):
        tiles.derive_tile(0, 274, 70_000)


@pytest.mark.parametrize("width", [0, 1, 2, 3])
def test_bundles_of_another_number_of_entries_are_refused(width: int) -> None:
    for data in (b"\x00", b"\x00\x02a", b"\x00\x01ab", b"\x00\x01a" * 4, b"\xff\xff" + bytes(9)):
        with pytest.raises(TileContentError):
            tiles.decode_bundle(data, width)
    with pytest.raises(TileContentError):
        tiles.decode_tile(bytes(32 * width + 1), width)
    with pytest.raises(TileContentError):
        tiles.encode_bundle([bytes(65_536)])


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_bundles_give_back_their_entries(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries), len(entries)) == entries


@given(st.binary(max_size=300), st.integers(0, 8))
def test_decoding_is_total(data: bytes, width: int) -> None:
    with contextlib.suppress(TileContentError):
        assert tiles.encode_bundle(tiles.decode_bundle(data, width)) == data


@given(st.integers(0, 1_200), st.integers(1, 400))
def test_an_edge_grown_in_any_steps_has_the_root_of_all_leaves(size: int, steps: int) -> None:
    edge, _ = grow(size, steps)
    assert edge.has_root(derive_root(LEAVES[:size]))
    again = tiles.TreeEdge.read(size, edge.serialise())
    assert again.levels == edge.levels
    copied = edge.copy()
    list(copied.grow([b"\x00" * 32]))
    assert (edge.size, copied.size) == (size, size + 1)
    assert edge.has_root(derive_root(LEAVES[:size]))


def test_an_edge_of_another_size_is_refused() -> None:
    edge, _ = grow(300)
    for size, data in (
        (301, edge.serialise()),
        (300, edge.serialise()[32:]),
        (300, edge.serialise() + bytes(32)),
    ):
        with pytest.raises(TileContentError):
            tiles.TreeEdge.read(size, data)
    with pytest.raises(TileContentError):
        tiles.TreeEdge(3, [[bytes(32)]])


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_proofs_can_be_built_from_tiles_alone(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 2, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, 70_000]))
    stored = TILES_OF.setdefault(size, grow(size)[1])

    def node(level: int, index: int) -> bytes:
        path = tiles.derive_tile_of_node(level, index, size)
        return tiles.derive_node(tiles.decode_tile(stored[path.text], path.width), level, index)

    root = ROOT_OF.setdefault(size, derive_root(LEAVES[:size]))
    index = data.draw(st.integers(0, size - 1))
    path = build_inclusion_proof(node, index, size)
    verify_inclusion(LEAVES[index], index, size, path, root)
    first = data.draw(st.integers(1, size))
    proof = build_consistency_proof(node, first, size)
    verify_consistency(first, size, proof, derive_root(LEAVES[:first]), root)


TILES_OF: dict[int, dict[str, bytes]] = {}
ROOT_OF: dict[int, bytes] = {}


def test_a_subtree_that_is_not_complete_has_no_tile() -> None:
    assert tiles.derive_tile_of_node(9, 0, 600).text == "tile/1/000.p/2"
    assert tiles.derive_node([LEAVES[0], LEAVES[1]], 9, 0) == hash_node(LEAVES[0], LEAVES[1])
    for level, index in ((9, 1), (10, 0), (0, 600), (8, 2)):
        with pytest.raises(TileOutsideError):
            tiles.derive_tile_of_node(level, index, 600)
