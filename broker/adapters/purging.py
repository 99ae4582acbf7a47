"""Destroys the rows whose end has come, in bounded batches (promise 6: nothing for ever).

Rule: a row that is over is absent for every reader whether or not it was destroyed yet; this only
makes it so on the disk. What must be told first (a pointer that expired, a special situation that
opens) is listed and logged before its row's `until_at` comes. Source: AVG 5(1)(e).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Connection,
    Delete,
    Table,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    union,
)

from broker.adapters.log_tables import LogEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.other_tables import OTHER_MODELS
from broker.adapters.oversight_tables import OVERSIGHT_MODELS
from broker.adapters.purpose_tables import PURPOSE_MODELS
from broker.adapters.replay_tables import REPLAY_MODELS
from broker.adapters.sharing_tables import SHARING_MODELS
from broker.adapters.tables import REGISTER_MODELS, InvolvementRecord, table_of

BATCH = 500


def _build_purge(table: Table) -> Delete:
    keys = tuple(table.primary_key.columns)
    due = select(*keys).where(table.c.until_at <= bindparam("b_now")).limit(bindparam("b_limit"))
    return delete(table).where(tuple_(*keys).in_(due) if len(keys) > 1 else keys[0].in_(due))


PURGED_MODELS = (
    *REGISTER_MODELS,
    *OVERSIGHT_MODELS,
    *PURPOSE_MODELS,
    *OTHER_MODELS,
    *REPLAY_MODELS,
    *SHARING_MODELS,
)
_PURGES = tuple(_build_purge(table_of(model)) for model in PURGED_MODELS)


_COUNTS = {
    model.__tablename__: select(func.count())
    .select_from(table_of(model))
    .where(table_of(model).c.until_at <= bindparam("b_now"))
    for model in PURGED_MODELS
}
_ENTRIES, _POINTERS = log_table_of(LogEntry), table_of(InvolvementRecord)
_NAMING = tuple(
    table
    for table in map(table_of, PURGED_MODELS)
    if {"subject_id", "until_at"} <= set(table.c.keys())
)
_TOUCHED = union(
    select(_ENTRIES.c.subject_id).where(
        _ENTRIES.c.retention_until <= bindparam("b_now"), _ENTRIES.c.subject_id.is_not(None)
    ),
    select(_POINTERS.c.subject_id).where(
        _POINTERS.c.expires_at <= bindparam("b_now"), _POINTERS.c.ended_at.is_(None)
    ),
    *(
        select(table.c.subject_id).where(table.c.until_at <= bindparam("b_now"))
        for table in _NAMING
    ),
).subquery()
_PERSONS = select(func.count()).select_from(_TOUCHED)


def count_ended(conn: Connection, now: datetime) -> dict[str, int]:
    """Return how many rows of each table are to be destroyed."""
    counts = {str(name): conn.execute(count, {"b_now": now}) for name, count in _COUNTS.items()}
    return {name: int(found.scalar_one()) for name, found in counts.items()}


def count_persons(conn: Connection, now: datetime) -> int:
    """Return about how many persons something is to end: a content, a pointer, a register's row.

    Each person counts once; a row that names nobody by itself, such as a reference, counts none.
    """
    return int(conn.execute(_PERSONS, {"b_now": now}).scalar_one())


def purge_ended(conn: Connection, now: datetime, limit: int = BATCH) -> int:
    """Destroy at most `limit` rows of each table whose end has come; return how many those were.

    Call it again, in a transaction of its own, until it returns 0. Idempotent.
    """
    given = {"b_now": now, "b_limit": limit}
    return sum(conn.execute(purge, given).rowcount for purge in _PURGES)
