"""The statements over a table of tags, compiled once, and the ranges of tags that they read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, bindparam, column, select, values
from sqlalchemy.dialects import postgresql, sqlite

from datwat.party.hot import HotStatement, build_places, fill_places
from datwat.protocol.tag_tree import TAG_LENGTH, Leaf

TAG_BITS = 8 * TAG_LENGTH
PAGES_AT_ONCE = 64
TAGS_AT_ONCE = 256


def build_range(node: int, depth: int) -> tuple[bytes, bytes]:
    """Return the lowest and the highest tag that a node may have below it."""
    shift = TAG_BITS - depth
    low = (node - (1 << depth)) << shift
    high = low + (1 << shift) - 1
    return low.to_bytes(TAG_LENGTH, "big"), high.to_bytes(TAG_LENGTH, "big")


@lru_cache
def compile_statements(table: Table) -> tuple[HotStatement, HotStatement, HotStatement]:
    """Return what inserts TAGS_AT_ONCE tags, what reads one range of tags, and what reads many."""
    inserts: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    tags, indexes = build_places("tag", TAGS_AT_ONCE), build_places("idx", TAGS_AT_ONCE)
    places: list[dict[str, Any]] = [
        {"tag": tag, "idx": index} for tag, index in zip(tags, indexes, strict=True)
    ]
    return (
        HotStatement(lambda name: inserts[name](table).values(places).on_conflict_do_nothing()),
        HotStatement(lambda _name: _select_ranges(table, 1)),
        HotStatement(lambda _name: _select_ranges(table, PAGES_AT_ONCE)),
    )


def run_insert(insert: HotStatement, connection: Connection, leaves: Sequence[Leaf]) -> None:
    """Insert up to TAGS_AT_ONCE tags, at least one; those that are there already stay.

    In one statement: with one each, a thread of Python waits for its turn after each of them while
    it holds the database's write lock. Places left over repeat the last tag, which changes nothing.
    """
    tags, indexes = zip(*leaves, strict=True)
    given = fill_places("tag", tags, TAGS_AT_ONCE) | fill_places("idx", indexes, TAGS_AT_ONCE)
    insert.run(connection, given)


def _select_ranges(table: Table, count: int) -> Any:  # noqa: ANN401 - a Core statement
    ranges = (
        values(column("low", LargeBinary), column("high", LargeBinary), name="ranges")
        .data(
            [
                (
                    bindparam(f"low_{place}", type_=LargeBinary),
                    bindparam(f"high_{place}", type_=LargeBinary),
                )
                for place in range(count)
            ]
        )
        .cte("ranges")
    )
    return (
        select(table.c.tag, table.c.idx)
        .select_from(ranges.join(table, table.c.tag.between(ranges.c.low, ranges.c.high)))
        .where(table.c.idx < bindparam("b_size"))
    )
