"""The writes that a known person costs, so that it costs what an unknown one does.

Rule: asking about somebody of whom the broker never heard must not take more statements than asking
about anybody else: the same two inserts run, and change nothing where the rows are there already.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from broker.adapters import rows
from broker.adapters.log_tables import DataSubject, QuarterKey, derive_seconds
from broker.adapters.tables import table_of
from broker.audit.records import SubjectKeys

_SUBJECT = rows.build_hot_insert(table_of(DataSubject))
_QUARTER = rows.build_hot_insert(table_of(QuarterKey))


def write_known(conn: Connection, keys: SubjectKeys, now: datetime) -> None:
    """Run the inserts of a new subject for one that is there: nothing changes."""
    _SUBJECT.run(
        conn,
        {
            "subject_id": keys.subject_id,
            "chain_key_sealed": b"",
            "created_at": derive_seconds(now),
        },
    )
    if keys.new_quarter_key_sealed is None:
        row = {"subject_id": keys.subject_id, "quarter": keys.quarter, "key_sealed": b""}
        _QUARTER.run(conn, row)
