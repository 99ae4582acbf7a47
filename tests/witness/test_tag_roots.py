"""Tag roots recomputed in one pass, against their definition; and how entries are read."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol.tag_tree import derive_tag_root
from tests.witness.log_maker import LogMaker, build_log
from witness.errors import LogEntryError, LogTagRootError, LogTagTwiceError
from witness.reading import read_entries
from witness.tag_roots import PAGES, derive_tag_roots

# Tags that part at the first bit, and tags that part only at the last.
TAGS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 40).map(lambda number: bytes(31) + bytes([number])),
    st.integers(0, 255).map(lambda number: bytes([number]) + b"\xff" * 31),
)


def build_pages(tags: Sequence[tuple[bytes, int]]) -> list[list[bytes]]:
    pages: list[list[bytes]] = [[] for _ in range(PAGES)]
    for tag, index in sorted(tags):
        pages[tag[0]].append(tag + index.to_bytes(8, "big"))
    return pages


@given(st.lists(TAGS, unique=True, max_size=60), st.lists(st.integers(0, 70), max_size=12))
def test_each_root_is_that_of_its_definition(tags: list[bytes], sizes: list[int]) -> None:
    leaves = [(tag, index) for index, tag in enumerate(tags)]
    found = derive_tag_roots(build_pages(leaves), sorted(sizes))
    assert found == [
        derive_tag_root(sorted(leaf for leaf in leaves if leaf[1] < size)) for size in sorted(sizes)
    ]


def test_a_larger_log_with_many_roots() -> None:
    leaves = [(hashlib.sha256(b"%d" % index).digest(), index) for index in range(4_000)]
    sizes = [0, 1, 1, *range(97, 4_000, 311), 4_000, 4_000]
    found = derive_tag_roots(build_pages(leaves), sizes)
    for size, root in zip(sizes, found, strict=True):
        assert root == derive_tag_root(sorted(leaves[:size]))


@pytest.mark.parametrize("covered", [0, 2])
def test_a_tag_that_occurs_twice_is_found_whether_a_root_covers_it_or_not(covered: int) -> None:
    with pytest.raises(LogTagTwiceError):
        derive_tag_roots(build_pages([(bytes(32), 0), (bytes(32), 1)]), [covered])


def test_what_entries_say() -> None:
    maker = build_log(700, every=300)
    reading = read_entries(0, maker.entries, 0)
    assert sorted(reading.tags) == maker.tags(700)
    assert [one.place for one in reading.roots] == [301, 602]
    assert [one.size for one in reading.roots] == [301, 602]
    later = read_entries(400, maker.entries[400:], 301)
    assert sorted(later.tags) == [leaf for leaf in maker.tags(700) if leaf[1] >= 400]
    with pytest.raises(LogTagRootError) as refused:
        read_entries(400, maker.entries[400:], 603)
    assert refused.value.index == 602


@given(st.lists(st.binary(max_size=70), max_size=4), st.integers(0, 5))
def test_reading_is_total(entries: list[bytes], start: int) -> None:
    with contextlib.suppress(LogEntryError, LogTagRootError):
        reading = read_entries(start, entries, 0)
        assert len(reading.tags) + len(reading.roots) <= len(entries)


def test_an_empty_log_says_nothing() -> None:
    assert read_entries(0, LogMaker().entries, 0) == ([], [])
    assert derive_tag_roots([[]] * PAGES, []) == []
