"""The writer's six statements, as `datwat/party/hot.py` runs them.

Rule: only what every batch of the log runs is here; all else goes through SQLAlchemy.
Through SQLAlchemy these took a third of the log's time (house reference "performance").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import CompilerElement

from broker.adapters.log_tables import LogCounter, LogEntry, LogHead, LogNode, table_of
from broker.adapters.oversight_tables import ActRecord
from broker.audit.ports import CounterKey, EntryRow, NodeRow
from broker.audit.seen import SeenAct
from datwat.party.hot import HotStatement

HEAD_ID = 1
_COUNTERS_AT_ONCE = 64

_HEAD, _ENTRIES, _NODES = table_of(LogHead), table_of(LogEntry), table_of(LogNode)
_COUNTERS, _ACTS = table_of(LogCounter), table_of(ActRecord)

_LOCK_HEAD = HotStatement(
    lambda _name: (
        select(_HEAD.c.size, _HEAD.c.root).where(_HEAD.c.id == bindparam("head")).with_for_update()
    )
)
_MOVE_HEAD = HotStatement(
    lambda _name: (
        update(_HEAD)
        .where(_HEAD.c.id == bindparam("head"))
        .values(size=bindparam("new_size"), root=bindparam("new_root"))
    )
)
_INSERT_ENTRIES = HotStatement(lambda _name: insert(_ENTRIES))
_INSERT_NODES = HotStatement(lambda _name: insert(_NODES))
_INSERT_ACTS = HotStatement(lambda _name: insert(_ACTS))


def lock_head(connection: Connection) -> tuple[int, bytes] | None:
    """Return size and root, holding the row where the database locks rows."""
    row = _LOCK_HEAD.find_row(connection, {"head": HEAD_ID})
    return None if row is None else (row[0], row[1])


def update_head(connection: Connection, size: int, root: bytes) -> None:
    """Move the head."""
    _MOVE_HEAD.run(connection, {"head": HEAD_ID, "new_size": size, "new_root": root})


def advance_counters(
    connection: Connection, counts: Mapping[CounterKey, int]
) -> dict[CounterKey, int]:
    """Take that many places in each chain and quarter; return the first of each."""
    firsts: dict[CounterKey, int] = {}
    remaining = iter(counts.items())
    while some := list(islice(remaining, _COUNTERS_AT_ONCE)):
        values: dict[str, Any] = {}
        for number, ((chain_id, audience, quarter), count) in enumerate(some):
            values[f"chain_{number}"] = chain_id
            values[f"audience_{number}"] = audience
            values[f"quarter_{number}"] = quarter
            values[f"count_{number}"] = count
        rows = _build_advance(len(some)).fetch_rows(connection, values)
        for chain_id, audience, quarter, after in rows:
            key = (bytes(chain_id), audience, quarter)
            firsts[key] = after - counts[key]
    return firsts


def insert_entries(connection: Connection, rows: Sequence[EntryRow]) -> None:
    """Write entries, and what oversight counts of them.

    Moments become whole seconds, as `UtcSeconds` stores them.
    """
    values = [
        {
            "idx": row.index,
            "entry": row.entry,
            "subject_id": row.subject_id,
            "audience": row.audience,
            "quarter": row.quarter,
            "number": row.number,
            "sealed": row.sealed,
            "input_sealed": row.input_sealed,
            "document": row.document,
            "at": int(row.at.timestamp()),
            "retention_until": row.retention_until and int(row.retention_until.timestamp()),
        }
        for row in rows
    ]
    acts = [_build_act(row.index, row.seen) for row in rows if row.seen is not None]
    _INSERT_ENTRIES.run_all(connection, values)
    _INSERT_ACTS.run_all(connection, acts)


def insert_nodes(connection: Connection, rows: Sequence[NodeRow]) -> None:
    """Write subtree hashes."""
    values = [{"level": row.level, "idx": row.index, "hash": row.hash} for row in rows]
    _INSERT_NODES.run_all(connection, values)


@lru_cache(_COUNTERS_AT_ONCE)
def _build_advance(count: int) -> HotStatement:
    """Return the statement for so many counters at once."""
    rows: list[dict[str, Any]] = [
        {
            "chain_id": bindparam(f"chain_{number}"),
            "audience": bindparam(f"audience_{number}"),
            "quarter": bindparam(f"quarter_{number}"),
            "next": bindparam(f"count_{number}"),
        }
        for number in range(count)
    ]

    def build(name: str) -> CompilerElement:
        insert_into = postgresql.insert if name == "postgresql" else sqlite.insert
        statement = insert_into(_COUNTERS).values(rows)
        return statement.on_conflict_do_update(
            index_elements=["chain_id", "audience", "quarter"],
            set_={"next": _COUNTERS.c.next + statement.excluded.next},
        ).returning(
            _COUNTERS.c.chain_id, _COUNTERS.c.audience, _COUNTERS.c.quarter, _COUNTERS.c.next
        )

    return HotStatement(build)


def _build_act(index: int, seen: SeenAct) -> dict[str, Any]:
    return {
        "idx": index,
        "at": int(seen.at.timestamp()),
        "retention_until": int(seen.retention_until.timestamp()),
        "shown_at": seen.shown_at and int(seen.shown_at.timestamp()),
        "act": seen.act,
        "partner": seen.partner,
        "professional": seen.professional,
        "subject": seen.subject,
        "occasion": seen.occasion,
        "purpose": seen.purpose,
        "source": seen.source,
        "permit": seen.permit,
        "is_stated": seen.is_stated,
        "blade": seen.blade,
        "found_nothing": seen.found_nothing,
        "is_off_hours": seen.is_off_hours,
        "is_blocked": seen.is_blocked,
        "result": seen.result,
        "goals": seen.goals,
        "plan_made": seen.plan_made,
    }
