"""The auditor's chain as rows: every delayed entry of some quarters, whoever it is about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from broker.adapters.log_tables import LogEntry, table_of
from broker.audit.ports import EntryRow

_ENTRIES = table_of(LogEntry)


def find_delayed_entries(
    connection: Connection, quarters: Sequence[str], below: int
) -> list[EntryRow]:
    """Return the delayed entries of these quarters below an index, the oldest first."""
    query = (
        select(*(_ENTRIES.c[name] for name in _COLUMNS))
        .where(_ENTRIES.c.audience == "delayed")
        .where(_ENTRIES.c.quarter.in_(list(quarters)))
        .where(_ENTRIES.c.idx < below)
        .order_by(_ENTRIES.c.idx)
    )
    return [EntryRow(*row) for row in connection.execute(query)]


_COLUMNS = (
    "idx", "entry", "subject_id", "audience", "quarter", "number", "sealed", "input_sealed",
    "document", "at", "retention_until",
)  # fmt: skip
