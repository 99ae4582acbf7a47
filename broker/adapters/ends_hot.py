"""The statements that each piece of what ends runs, compiled once and run by the driver itself.

Rule: one statement for many rows. After each statement a thread of Python waits for its turn, here
with the lock that every question's writing waits for; and through SQLAlchemy they took a third of
what an ending costs (docs/explanation/performance.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, null, select, update

from broker.adapters.log_tables import LogEntry, QuarterKey, derive_seconds, table_of
from broker.adapters.oversight_tables import ActRecord
from broker.audit.ends_port import ContentRow
from broker.audit.replaced import Place
from datwat.party.hot import HotStatement, build_places, fill_places

_AT_ONCE = 32

_ENTRIES, _KEYS, _ACTS = table_of(LogEntry), table_of(QuarterKey), table_of(ActRecord)


_LIST_DUE = HotStatement(
    lambda _name: (
        select(_ENTRIES.c.subject_id, _ENTRIES.c.quarter)
        .where(_ENTRIES.c.retention_until <= bindparam("b_now"), _ENTRIES.c.subject_id.is_not(None))
        .order_by(_ENTRIES.c.retention_until, _ENTRIES.c.idx)
        .limit(bindparam("b_limit"))
        .offset(bindparam("b_from"))  # else SQLAlchemy writes one for SQLite, with a value
    )
)
_CONTENTS = HotStatement(
    lambda _name: select(
        *(_ENTRIES.c.idx, _ENTRIES.c.entry, _ENTRIES.c.subject_id, _ENTRIES.c.audience),
        *(_ENTRIES.c.quarter, _ENTRIES.c.sealed, _ENTRIES.c.input_sealed),
        *(_ENTRIES.c.at, _ENTRIES.c.retention_until, _ENTRIES.c.number),
    ).where(
        _ENTRIES.c.subject_id.in_(build_places("subject", _AT_ONCE)),
        _ENTRIES.c.quarter == bindparam("b_quarter"),
        _ENTRIES.c.retention_until.is_not(None),
    )
)
_QUARTER_KEYS = HotStatement(
    lambda _name: select(_KEYS.c.subject_id, _KEYS.c.key_sealed).where(
        _KEYS.c.subject_id.in_(build_places("subject", _AT_ONCE)),
        _KEYS.c.quarter == bindparam("b_quarter"),
    )
)
_DESTROY = HotStatement(
    lambda _name: (
        update(_ENTRIES)
        .where(_ENTRIES.c.idx.in_(build_places("idx", _AT_ONCE)))
        .values(sealed=null(), input_sealed=null(), retention_until=null())
    )
)
# What oversight counts of an entry ends with its content, in the same transaction.
_DESTROY_ACTS = HotStatement(
    lambda _name: delete(_ACTS).where(_ACTS.c.idx.in_(build_places("idx", _AT_ONCE)))
)
_DESTROY_KEYS = HotStatement(
    lambda _name: delete(_KEYS).where(
        _KEYS.c.subject_id.in_(build_places("subject", _AT_ONCE)),
        _KEYS.c.quarter == bindparam("b_quarter"),
    )
)


def list_due(conn: Connection, now: datetime, limit: int) -> list[tuple[bytes, str]]:
    """Return subject and quarter of entries whose retention is over, the oldest end first."""
    return _LIST_DUE.fetch_rows(conn, {"b_now": derive_seconds(now), "b_limit": limit, "b_from": 0})


def fetch_contents(conn: Connection, places: Collection[Place]) -> list[ContentRow]:
    """Return every entry with an end of these subjects in these quarters, in order."""
    found = [
        _build_row(row)
        for given in _cut_places(places)
        for row in _CONTENTS.fetch_rows(conn, given)
    ]
    return sorted(found, key=lambda row: row.index)


def fetch_quarter_keys(conn: Connection, places: Collection[Place]) -> Mapping[Place, bytes]:
    """Return the sealed key of each place that has one."""
    return {
        (subject_id, given["b_quarter"]): key
        for given in _cut_places(places)
        for subject_id, key in _QUARTER_KEYS.fetch_rows(conn, given)
    }


def destroy_contents(conn: Connection, indexes: Sequence[int]) -> None:
    """Destroy what lies sealed beside these entries, their ends, and what is counted."""
    for start in range(0, len(indexes), _AT_ONCE):
        given = fill_places("idx", indexes[start : start + _AT_ONCE], _AT_ONCE)
        _DESTROY.run(conn, given)
        _DESTROY_ACTS.run(conn, given)


def destroy_quarter_keys(conn: Connection, places: Collection[Place]) -> None:
    """Destroy the key of each place."""
    for given in _cut_places(places):
        _DESTROY_KEYS.run(conn, given)


def _cut_places(places: Collection[Place]) -> Iterator[dict[str, Any]]:
    """Return the values of a statement for so many subjects of one quarter each."""
    by_quarter: dict[str, set[bytes]] = defaultdict(set)
    for subject_id, quarter in places:
        by_quarter[quarter].add(subject_id)
    for quarter, found in by_quarter.items():
        subjects = sorted(found)
        for start in range(0, len(subjects), _AT_ONCE):
            yield {
                "b_quarter": quarter,
                **fill_places("subject", subjects[start : start + _AT_ONCE], _AT_ONCE),
            }


def _build_row(row: tuple[Any, ...]) -> ContentRow:
    at, until = (datetime.fromtimestamp(seconds, UTC) for seconds in row[7:9])
    return ContentRow(*(*row[:7], at, until, *row[9:]))
