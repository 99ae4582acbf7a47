"""Whose entries wait in the auditor's chain: found when a special situation opens, never before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from broker.adapters.log_tables import LogEntry
from broker.adapters.tables import table_of

_ENTRIES = table_of(LogEntry)


def find_delayed_subjects(conn: Connection, since_at: datetime) -> tuple[bytes, ...]:
    """Return the data subjects of delayed entries since a moment: members of an occasion or not."""
    rows = conn.execute(
        select(_ENTRIES.c.subject_id)
        .where(_ENTRIES.c.audience == "delayed", _ENTRIES.c.at >= since_at)
        .distinct()
    )
    return tuple(sorted(bytes(row[0]) for row in rows))
