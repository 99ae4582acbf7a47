"""The kept tree over all tags against its definition, whatever was added, undone or left behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, MetaData, Table, delete, update

from datwat.party.database import open_engine
from datwat.party.tag_index import TagIndex, TagIndexDamagedError, build_tag_table
from datwat.protocol.tag_tree import (
    EMPTY,
    Leaf,
    TagTwiceError,
    build_tag_proof,
    derive_tag_root,
    require_no_tag,
    require_tag,
)

# Tags that share a page of any size as well as tags that part at once.
_TAGS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 255).map(lambda number: bytes(31) + bytes([number])),
    st.integers(0, 255).map(lambda number: bytes([number]) + bytes(31)),
)
_ADDED = st.lists(st.lists(_TAGS, max_size=12), max_size=5)

MakeTable = Callable[[], Table]


@pytest.fixture
def make_table(engine: Engine) -> MakeTable:
    """Return a maker of empty tables of tags in a database of each kind."""

    def make() -> Table:
        table = build_tag_table(MetaData(), f"tags_{uuid.uuid4().hex}")
        table.create(engine)
        return table

    return make


@pytest.fixture(scope="module")
def memory() -> Iterator[Engine]:
    """Return a database for what is tried many times."""
    opened = open_engine("sqlite://")
    yield opened
    opened.dispose()


def _number(chunks: list[list[bytes]]) -> list[tuple[list[Leaf], int]]:
    """Give each new tag the next index of a log with other entries between; say each size."""
    seen: set[bytes] = set()
    numbered: list[tuple[list[Leaf], int]] = []
    size = 0
    for chunk in chunks:
        leaves = []
        for tag in chunk:
            if tag not in seen:
                seen.add(tag)
                leaves.append((tag, size))
                size += 2
        numbered.append((leaves, size))
    return numbered


@settings(deadline=None)  # each example makes a table
@given(chunks=_ADDED, absent=st.lists(_TAGS, max_size=4), bits=st.sampled_from([1, 3, 8, 12]))
def test_roots_and_proofs_are_those_of_the_definition(
    memory: Engine, chunks: list[list[bytes]], absent: list[bytes], bits: int
) -> None:
    table = build_tag_table(MetaData(), f"tags_{uuid.uuid4().hex}")
    table.create(memory)
    index = TagIndex(table, bits)
    leaves: list[Leaf] = []
    assert index.root == EMPTY
    for new, size in _number(chunks):
        before = index.root
        with memory.begin() as connection:
            root = index.add(connection, new, size)
        assert (index.root, index.size <= size) == (before, True)
        index.commit()
        leaves = sorted(leaves + new)
        assert root == index.root == derive_tag_root(leaves)
        assert index.size == size
    again = TagIndex(table, bits)
    with memory.begin() as connection:
        again.load(connection, index.size)
        assert again.root == index.root
        for tag in [*(tag for tag, _ in leaves), *absent]:
            assert index.prove(connection, tag) == build_tag_proof(leaves, tag)
            assert again.prove(connection, tag) == build_tag_proof(leaves, tag)
    table.drop(memory)


def _build_leaves(start: int, count: int) -> list[Leaf]:
    random = Random(start)  # noqa: S311 - any spread will do
    return [(random.randbytes(32), start + place) for place in range(count)]


def test_proofs_are_of_the_last_root_while_the_next_is_made(
    engine: Engine, make_table: MakeTable
) -> None:
    index = TagIndex(make_table())
    old, new = _build_leaves(0, 300), _build_leaves(300, 300)
    with engine.begin() as connection:
        first = index.add(connection, old, 300)
    index.commit()
    with engine.begin() as connection:
        index.add(connection, new[:150], 450)
    with engine.begin() as connection:
        second = index.add(connection, new[150:], 600)
    with engine.begin() as connection:
        for tag, place in old:
            require_tag(index.prove(connection, tag), tag, place, first)
        for tag, _ in new:
            require_no_tag(index.prove(connection, tag), tag, first)
        index.commit()
        for tag, place in old + new:
            require_tag(index.prove(connection, tag), tag, place, second)
    assert second == derive_tag_root(sorted(old + new))


def test_a_root_can_be_committed_without_what_was_added_after_it(
    engine: Engine, make_table: MakeTable
) -> None:
    index = TagIndex(make_table())
    roots = {0: EMPTY}
    leaves = _build_leaves(0, 700)
    with engine.begin() as connection:
        for size in range(100, 600, 100):
            roots[size] = index.add(connection, leaves[size - 100 : size], size)
            index.mark()
        index.add(connection, leaves[500:600], 600)
    reached = []
    with engine.begin() as connection:
        for size in (99, 100, 200, 300, 400, 500):
            index.commit(size)
            assert index.root == roots[index.size]
            for tag, place in leaves:
                proof = index.prove(connection, tag)
                if place < index.size:
                    require_tag(proof, tag, place, index.root)
                else:
                    require_no_tag(proof, tag, index.root)
            reached.append(index.size)
        # The second part took the third, fourth and fifth in: it is there as a whole or not.
        assert reached == [0, 100, 100, 100, 100, 500]
        assert index.added == 600
        index.discard()
        assert index.added == 500
        root = index.add(connection, leaves[500:], 700)
    index.commit()
    assert index.root == root == derive_tag_root(sorted(leaves))


def test_what_was_undone_or_left_behind_changes_nothing(
    engine: Engine, make_table: MakeTable
) -> None:
    table = make_table()
    index = TagIndex(table)
    old, left, new = _build_leaves(0, 50), _build_leaves(50, 50), _build_leaves(100, 50)
    with engine.begin() as connection:
        root = index.add(connection, old, 50)
    index.commit()
    with engine.begin() as connection:
        index.add(connection, left, 100)  # and here the process dies, the rows being there
    index = TagIndex(table)
    with engine.begin() as connection:
        index.load(connection, 50)
        assert index.root == root
        require_no_tag(index.prove(connection, left[0][0]), left[0][0], root)
        undone = connection.begin_nested()
        index.add(connection, left + new, 150)
        undone.rollback()
        index.discard()
        assert index.root == root
        index.add(connection, left, 100)
        index.add(connection, new, 150)
    index.commit()
    assert index.root == derive_tag_root(sorted(old + left + new))


@pytest.mark.parametrize("at_once", [True, False])
def test_a_tag_twice_is_refused(engine: Engine, make_table: MakeTable, *, at_once: bool) -> None:
    index = TagIndex(make_table())
    leaves = _build_leaves(0, 20)
    again = [(leaves[7][0], 20)]
    if not at_once:
        with engine.begin() as connection:
            index.add(connection, leaves, 20)
        index.commit()
    with engine.connect() as connection, pytest.raises(TagTwiceError):
        index.add(connection, leaves + again if at_once else again, 21)
    index.discard()
    assert index.root == (EMPTY if at_once else derive_tag_root(sorted(leaves)))


def test_a_tag_of_another_part_is_an_error_of_the_caller(
    engine: Engine, make_table: MakeTable
) -> None:
    index = TagIndex(make_table())
    with engine.begin() as connection:
        index.add(connection, _build_leaves(0, 5), 5)
        for leaf in ((b"\x01" * 32, 4), (b"\x01" * 32, 6)):
            with pytest.raises(ValueError, match="another part"):
                index.add(connection, [leaf], 6)


@pytest.mark.parametrize("deed", ["removed", "moved", "put_in"])
def test_a_changed_table_gives_no_proof(engine: Engine, make_table: MakeTable, deed: str) -> None:
    table = make_table()
    index = TagIndex(table, 4)
    leaves = _build_leaves(0, 100)
    tag, place = leaves[41]
    stranger = tag[:-1] + bytes([tag[-1] ^ 1])
    with engine.begin() as connection:
        index.add(connection, leaves, 200)
    index.commit()
    with engine.begin() as connection:
        if deed == "removed":
            connection.execute(delete(table).where(table.c.tag == tag))
        elif deed == "moved":
            connection.execute(update(table).where(table.c.tag == tag).values(idx=place + 100))
        else:
            connection.execute(table.insert().values(tag=stranger, idx=150))
        with pytest.raises(TagIndexDamagedError):
            index.prove(connection, tag)
        again = TagIndex(table, 4)
        again.load(connection, 200)
    assert again.root != index.root


def test_others_get_their_turn_while_a_root_is_hashed(
    engine: Engine, make_table: MakeTable
) -> None:
    index, leaves, rests = TagIndex(make_table()), _build_leaves(0, 2_000), list[int]()
    with engine.begin() as connection:
        index.write(connection, leaves)
        root = index.take_in(connection, leaves, 2_000, lambda: rests.append(1))
    # After each 64 pages, and after each 256 nodes of the levels above them.
    assert len(rests) > 2_000 / 64 + 5 * 2_000 / 256
    assert root == derive_tag_root(sorted(leaves))
