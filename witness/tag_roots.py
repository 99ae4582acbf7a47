"""Recomputes many tag roots of one log in one pass over its sorted tags.

Rule: the roots are those of `datwat/protocol/tag_tree.py`, each over the tags below its size; what
two of them share is hashed once. Whoever follows a log for a long time keeps a tree instead
(`datwat/party/tag_index.py`); this is for whoever reads a whole log at once.

A subtree has a *history*: for each root at which it changed, whether it holds one tag or many, and
its hash. The history of a node is that of its halves, merged.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from datwat.protocol.tag_tree import EMPTY, TAG_LENGTH
from witness.errors import LogTagTwiceError

RECORD_LENGTH = TAG_LENGTH + 8
"""A record is tag ‖ u64 index: sorted records are sorted tags."""

PAGES = 256
"""Records come in as many pages, by the first byte of their tags."""

_PAGE_BITS = 8
_TAG_BITS = 8 * TAG_LENGTH
_LEAF = b"\x00dw-tagleaf/v1\x00"
_ONE, _MANY = 1, 2

History = Sequence[tuple[int, int, bytes]]


def derive_tag_roots(pages: Iterable[Sequence[bytes]], sizes: Sequence[int]) -> list[bytes]:
    """Return the root over the tags of log[0:size) for each of `sizes`, which never fall.

    `pages` are PAGES lists of sorted records; they are taken one at a time.

    Raises:
        LogTagTwiceError: two records have one tag.
    """
    histories = (_Page(records, sizes).history() for records in pages)
    whole = _merge_pages(histories, 0)
    roots = []
    place, current = 0, EMPTY
    for epoch in range(len(sizes)):
        while place < len(whole) and whole[place][0] <= epoch:
            current = whole[place][2]
            place += 1
        roots.append(current)
    return roots


class _Page:
    """The tags that share their first byte."""

    def __init__(self, records: Sequence[bytes], sizes: Sequence[int]) -> None:
        keys, leaves = [], []
        before = b""
        count, sha256 = len(sizes), hashlib.sha256
        for record in records:
            tag = record[:TAG_LENGTH]
            if tag == before:
                raise twice(int.from_bytes(record[TAG_LENGTH:], "big"))
            before = tag
            epoch = bisect_right(sizes, int.from_bytes(record[TAG_LENGTH:], "big"))
            if epoch < count:  # a tag that no root covers yet is in none of them
                keys.append(int.from_bytes(tag, "big"))
                leaves.append(((epoch, _ONE, sha256(_LEAF + record).digest()),))
        self._keys = keys
        self._leaves = leaves

    def history(self) -> History:
        keys = self._keys
        if not keys:
            return ()
        prefix = keys[0] >> (_TAG_BITS - _PAGE_BITS) << (_TAG_BITS - _PAGE_BITS)
        return self._build(0, len(keys), _PAGE_BITS, prefix)

    def _build(self, low: int, high: int, depth: int, prefix: int) -> History:
        """Return the history of the subtree at `depth` over the tags [low, high)."""
        if high - low == 1:
            return self._leaves[low]
        middle = prefix | 1 << (_TAG_BITS - 1 - depth)
        split = bisect_left(self._keys, middle, low, high)
        left = self._build(low, split, depth + 1, prefix) if split > low else ()
        right = self._build(split, high, depth + 1, middle) if high > split else ()
        return _merge(left, right)


def twice(index: int) -> LogTagTwiceError:
    """Return the error for a tag that occurs a second time at `index`."""
    return LogTagTwiceError(
        f"The tag of entry {index} occurs at another entry too, which no honest log has: "
        "keep the checkpoint as evidence.",
        index=index,
    )


def _merge_pages(pages: Iterator[History], depth: int) -> History:
    if depth == _PAGE_BITS:
        return next(pages, ())
    left = _merge_pages(pages, depth + 1)
    return _merge(left, _merge_pages(pages, depth + 1))


def _merge(left: History, right: History) -> History:
    """Return the history of a node from those of its halves."""
    sha256 = hashlib.sha256
    merged = []
    left_end, right_end = len(left), len(right)
    at_left = at_right = left_kind = right_kind = 0
    left_hash = right_hash = EMPTY
    never = 1 << 62
    next_left = left[0][0] if left_end else never
    next_right = right[0][0] if right_end else never
    while next_left != never or next_right != never:
        epoch = min(next_right, next_left)
        if next_left == epoch:
            _, left_kind, left_hash = left[at_left]
            at_left += 1
            next_left = left[at_left][0] if at_left < left_end else never
        if next_right == epoch:
            _, right_kind, right_hash = right[at_right]
            at_right += 1
            next_right = right[at_right][0] if at_right < right_end else never
        if left_kind + right_kind > _ONE:
            digest = sha256(b"\x01" + left_hash + right_hash).digest()
            merged.append((epoch, _MANY, digest))
        else:  # a tag that is alone stands for itself, however high
            merged.append((epoch, _ONE, left_hash if left_kind else right_hash))
    return merged
