"""The writer's six statements, compiled once from the tables and run by the driver itself.

Rule: only what every batch of the log runs is here; all else goes through SQLAlchemy.
Through SQLAlchemy these took a third of the log's time (house reference "performance").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.elements import CompilerElement

from broker.adapters.log_tables import LogCounter, LogEntry, LogHead, LogNode, table_of
from broker.adapters.oversight_tables import ActRecord
from broker.audit.ports import CounterKey, EntryRow, NodeRow
from broker.audit.seen import SeenAct

HEAD_ID = 1
_COUNTERS_AT_ONCE = 64

_HEAD, _ENTRIES, _NODES = table_of(LogHead), table_of(LogEntry), table_of(LogNode)
_COUNTERS, _ACTS = table_of(LogCounter), table_of(ActRecord)


class HotStatements:
    """Text and execution of the statements, with named parameters, for one kind of database."""

    def __init__(self, engine: Engine) -> None:
        is_postgresql = engine.dialect.name == "postgresql"
        self._dialect: Dialect = (
            engine.dialect if is_postgresql else sqlite.dialect(paramstyle="named")
        )
        self._insert = postgresql.insert if is_postgresql else sqlite.insert
        head = select(_HEAD.c.size, _HEAD.c.root).where(_HEAD.c.id == bindparam("head"))
        self._lock = self._compile(head.with_for_update())
        self._move = self._compile(
            update(_HEAD)
            .where(_HEAD.c.id == bindparam("head"))
            .values(size=bindparam("new_size"), root=bindparam("new_root"))
        )
        self._entries = self._compile(insert(_ENTRIES))
        self._nodes = self._compile(insert(_NODES))
        self._acts = self._compile(insert(_ACTS))
        self._counters = lru_cache(_COUNTERS_AT_ONCE)(self._compile_counters)

    def lock_head(self, connection: Connection) -> tuple[int, bytes] | None:
        """Return size and root, holding the row where the database locks rows."""
        with _cursor(connection) as cursor:
            cursor.execute(self._lock, {"head": HEAD_ID})
            row = cursor.fetchone()
        return None if row is None else (row[0], row[1])

    def update_head(self, connection: Connection, size: int, root: bytes) -> None:
        """Move the head."""
        with _cursor(connection) as cursor:
            cursor.execute(self._move, {"head": HEAD_ID, "new_size": size, "new_root": root})

    def advance_counters(
        self, connection: Connection, counts: Mapping[CounterKey, int]
    ) -> dict[CounterKey, int]:
        """Take that many places in each chain and quarter; return the first of each."""
        firsts: dict[CounterKey, int] = {}
        remaining = iter(counts.items())
        with _cursor(connection) as cursor:
            while some := list(islice(remaining, _COUNTERS_AT_ONCE)):
                values: dict[str, Any] = {}
                for number, ((chain_id, audience, quarter), count) in enumerate(some):
                    values[f"chain_{number}"] = chain_id
                    values[f"audience_{number}"] = audience
                    values[f"quarter_{number}"] = quarter
                    values[f"count_{number}"] = count
                cursor.execute(self._counters(len(some)), values)
                for chain_id, audience, quarter, after in cursor.fetchall():
                    key = (bytes(chain_id), audience, quarter)
                    firsts[key] = after - counts[key]
        return firsts

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
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
        with _cursor(connection) as cursor:
            _run_all(cursor, self._entries, values)
            _run_all(cursor, self._acts, acts)

    def insert_nodes(self, connection: Connection, rows: Sequence[NodeRow]) -> None:
        """Write subtree hashes."""
        values = [{"level": row.level, "idx": row.index, "hash": row.hash} for row in rows]
        with _cursor(connection) as cursor:
            _run_all(cursor, self._nodes, values)

    def _compile_counters(self, count: int) -> str:
        rows: list[dict[str, Any]] = [
            {
                "chain_id": bindparam(f"chain_{number}"),
                "audience": bindparam(f"audience_{number}"),
                "quarter": bindparam(f"quarter_{number}"),
                "next": bindparam(f"count_{number}"),
            }
            for number in range(count)
        ]
        statement = self._insert(_COUNTERS).values(rows)
        return self._compile(
            statement.on_conflict_do_update(
                index_elements=["chain_id", "audience", "quarter"],
                set_={"next": _COUNTERS.c.next + statement.excluded.next},
            ).returning(
                _COUNTERS.c.chain_id, _COUNTERS.c.audience, _COUNTERS.c.quarter, _COUNTERS.c.next
            )
        )

    def _compile(self, statement: CompilerElement) -> str:
        return str(statement.compile(dialect=self._dialect))


def _run_all(cursor: DBAPICursor, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement for each row; what psycopg sets up for many costs as much as two do."""
    if len(rows) == 1:
        cursor.execute(statement, rows[0])
    elif rows:
        cursor.executemany(statement, rows)


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


@contextmanager
def _cursor(connection: Connection) -> Iterator[DBAPICursor]:
    driver: Any = connection.connection.dbapi_connection
    cursor: DBAPICursor = driver.cursor()
    try:
        yield cursor
    finally:
        cursor.close()
