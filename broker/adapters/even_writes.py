"""The writes that a known person costs, so that it costs what an unknown one does.

Rule: asking about somebody of whom the broker never heard must not take more statements than asking
about anybody else: the same two inserts run, and change nothing where the rows are there already.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters.log_tables import DataSubject, QuarterKey
from broker.adapters.tables import table_of
from broker.audit.records import SubjectKeys

_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}
_SUBJECT = {
    name: dialect.insert(table_of(DataSubject)).on_conflict_do_nothing()
    for name, dialect in _DIALECTS.items()
}
_QUARTER = {
    name: dialect.insert(table_of(QuarterKey)).on_conflict_do_nothing()
    for name, dialect in _DIALECTS.items()
}


def write_known(conn: Connection, keys: SubjectKeys, now: datetime) -> None:
    """Run the inserts of a new subject for one that is there: nothing changes."""
    name = conn.dialect.name
    given = {"subject_id": keys.subject_id, "chain_key_sealed": b"", "created_at": now}
    conn.execute(_SUBJECT[name], given)
    if keys.new_quarter_key_sealed is None:
        row = {"subject_id": keys.subject_id, "quarter": keys.quarter, "key_sealed": b""}
        conn.execute(_QUARTER[name], row)
