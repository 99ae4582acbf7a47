"""The statements that destroy (port: `broker.audit.ends_port.EndsStore`).

Rule: what is destroyed is overwritten where the database can (SQLite `secure_delete`); a row that
ended keeps its public bytes and its place in the chain, until nothing is left of its person: then
the place goes too. Whatever table names a person is looked at before a person counts as gone.
Source: house reference "audit-log", Ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    LargeBinary,
    String,
    bindparam,
    delete,
    func,
    null,
    select,
    tuple_,
    update,
)

from broker.adapters import ends_hot
from broker.adapters.log_tables import (
    DataSubject,
    LogCounter,
    LogEntry,
    LogHead,
    LostEntry,
    QuarterKey,
    table_of,
)
from broker.adapters.oversight_tables import ActRecord
from broker.adapters.tables import REGISTER_MODELS, PseudonymRecord, ReferenceRecord
from broker.adapters.tables import table_of as register_of
from broker.audit.ends_port import ContentRow, EndedRow, Resealed
from broker.audit.records import DELAYED_CHAIN_ID
from broker.audit.replaced import Place

_ENTRIES, _KEYS, _LOST = table_of(LogEntry), table_of(QuarterKey), table_of(LostEntry)
_ACTS = table_of(ActRecord)
_SUBJECTS, _COUNTERS = table_of(DataSubject), table_of(LogCounter)
_PSEUDONYMS = register_of(PseudonymRecord)
_SUBJECT_IN: BindParameter[Any] = bindparam("b_subjects", expanding=True)
_DUE = _ENTRIES.c.retention_until <= bindparam("b_now")
_COUNT_DUE = select(func.count()).select_from(_ENTRIES).where(_DUE)
_RESEAL = (
    update(_ENTRIES)
    .where(_ENTRIES.c.idx == bindparam("b_idx"))
    .values(sealed=bindparam("b_sealed"), input_sealed=bindparam("b_input"))
)
_POSTPONE = (
    update(_ENTRIES)
    .where(_ENTRIES.c.idx == bindparam("b_idx"))
    .values(retention_until=bindparam("b_until"))
)
_POSTPONE_ACT = (
    update(_ACTS)
    .where(_ACTS.c.idx == bindparam("b_idx"))
    .values(retention_until=bindparam("b_until"))
)
_THIS_KEY = (
    _KEYS.c.subject_id == bindparam("b_subject"),
    _KEYS.c.quarter == bindparam("b_quarter"),
)
_REPLACE_KEY = update(_KEYS).where(*_THIS_KEY).values(key_sealed=bindparam("b_key"))
_PAGE = (
    select(_SUBJECTS.c.subject_id)
    .where(_SUBJECTS.c.subject_id > bindparam("b_after"))
    .order_by(_SUBJECTS.c.subject_id)
    .limit(bindparam("b_limit"))
)
_CHAIN_KEYS = (
    select(_SUBJECTS.c.subject_id, _SUBJECTS.c.chain_key_sealed)
    .where(_SUBJECTS.c.subject_id > bindparam("b_after"))
    .order_by(_SUBJECTS.c.subject_id)
    .limit(bindparam("b_limit"))
)
_QUARTER_KEYS = (
    select(_KEYS)
    .where(
        tuple_(_KEYS.c.subject_id, _KEYS.c.quarter)
        > tuple_(bindparam("b_subject", type_=LargeBinary), bindparam("b_quarter", type_=String))
    )
    .order_by(_KEYS.c.subject_id, _KEYS.c.quarter)
    .limit(bindparam("b_limit"))
)
_UPDATE_CHAIN_KEY = (
    update(_SUBJECTS)
    .where(_SUBJECTS.c.subject_id == bindparam("b_subject"))
    .values(chain_key_sealed=bindparam("b_key"))
)
_UPDATE_DELAYED = update(table_of(LogHead)).values(delayed_chain_key_sealed=bindparam("b_key"))
_LIST_LOST = (
    select(_LOST, _ENTRIES.c.quarter, _ENTRIES.c.number)
    .join(_ENTRIES, _ENTRIES.c.idx == _LOST.c.idx)
    .order_by(_LOST.c.idx)
    .limit(bindparam("b_limit"))
)
_FORGET_LOST = delete(_LOST).where(_LOST.c.idx == bindparam("b_idx"))


def list_names_of_person() -> tuple[Column[Any], ...]:
    """Return every column by which a register's row names a person, but the pseudonym's own."""
    tables = [register_of(model) for model in REGISTER_MODELS if model is not PseudonymRecord]
    named = [table.c.subject_id for table in tables if "subject_id" in table.c]
    return (*named, register_of(ReferenceRecord).c.target, _LOST.c.subject_id)


_ALIVE = (
    select(_ENTRIES.c.subject_id)
    .where(_ENTRIES.c.subject_id.in_(_SUBJECT_IN), _ENTRIES.c.retention_until.is_not(None))
    .distinct(),
    *(
        select(column).where(column.in_(_SUBJECT_IN)).distinct()
        for column in list_names_of_person()
    ),
)
_WITH_ENTRIES = (
    select(_ENTRIES.c.subject_id).where(_ENTRIES.c.subject_id.in_(_SUBJECT_IN)).distinct()
)
# In this order: what finds a person goes last.
_DESTROY_SUBJECTS = (
    delete(_KEYS).where(_KEYS.c.subject_id.in_(_SUBJECT_IN)),
    delete(_COUNTERS).where(_COUNTERS.c.chain_id.in_(_SUBJECT_IN)),
    # The auditor's roll keeps its places: they name nobody any more.
    update(_ENTRIES)
    .where(_ENTRIES.c.subject_id.in_(_SUBJECT_IN), _ENTRIES.c.audience == "delayed")
    .values(subject_id=DELAYED_CHAIN_ID),
    update(_ENTRIES)
    .where(_ENTRIES.c.subject_id.in_(_SUBJECT_IN))
    .values(subject_id=null(), audience=null(), quarter=null(), number=null()),
    delete(_SUBJECTS).where(_SUBJECTS.c.subject_id.in_(_SUBJECT_IN)),
    delete(_PSEUDONYMS).where(_PSEUDONYMS.c.subject_id.in_(_SUBJECT_IN)),
)


class SqlEnds:
    """Implements `EndsStore` for SQLite and PostgreSQL alike."""

    def list_due(self, conn: Connection, now: datetime, limit: int) -> list[tuple[bytes, str]]:
        """Return subject and quarter of entries whose retention is over, the oldest end first."""
        return ends_hot.list_due(conn, now, limit)

    def count_due(self, conn: Connection, now: datetime) -> int:
        """Return how many contents are to end."""
        return int(conn.execute(_COUNT_DUE, {"b_now": now}).scalar_one())

    def fetch_contents(self, conn: Connection, places: Collection[Place]) -> list[ContentRow]:
        """Return every entry with an end of these subjects in these quarters, in order."""
        return ends_hot.fetch_contents(conn, places)

    def fetch_quarter_keys(
        self, conn: Connection, places: Collection[Place]
    ) -> Mapping[Place, bytes]:
        """Return the sealed key of each place that has one."""
        return ends_hot.fetch_quarter_keys(conn, places)

    def destroy_contents(self, conn: Connection, indexes: Sequence[int]) -> None:
        """Destroy what lies sealed beside these entries, their ends, and what is counted."""
        ends_hot.destroy_contents(conn, indexes)

    def reseal_contents(self, conn: Connection, rows: Sequence[Resealed]) -> None:
        """Put contents in the place of the same ones under another key."""
        if rows:
            conn.execute(
                _RESEAL,
                [
                    {"b_idx": row.index, "b_sealed": row.sealed, "b_input": row.input_sealed}
                    for row in rows
                ],
            )

    def postpone(self, conn: Connection, indexes: Sequence[int], until_at: datetime) -> None:
        """Move the end of these entries."""
        if indexes:
            later = [{"b_idx": each, "b_until": until_at} for each in indexes]
            conn.execute(_POSTPONE, later)
            conn.execute(_POSTPONE_ACT, later)

    def replace_keys(self, conn: Connection, keys: Mapping[Place, bytes | None]) -> None:
        """Put sealed keys in the place of others; None destroys one."""
        replaced = [
            {"b_subject": subject_id, "b_quarter": quarter, "b_key": key}
            for (subject_id, quarter), key in keys.items()
            if key is not None
        ]
        if replaced:
            conn.execute(_REPLACE_KEY, replaced)
        ends_hot.destroy_quarter_keys(conn, [place for place, key in keys.items() if key is None])

    def list_over(self, conn: Connection, after: bytes, limit: int) -> tuple[list[bytes], bytes]:
        """Return those of a page of subjects of whom nothing is left, and where the next begins."""
        page = conn.execute(_PAGE, {"b_after": after, "b_limit": limit}).scalars()
        found = [bytes(subject_id) for subject_id in page]
        following = found[-1] if len(found) == limit else b""
        return _find_over(conn, found), following

    def list_with_entries(
        self, conn: Connection, subject_ids: Collection[bytes]
    ) -> frozenset[bytes]:
        """Return those of these subjects about whom the log ever held an entry."""
        rows = conn.execute(_WITH_ENTRIES, {"b_subjects": list(subject_ids)}).scalars()
        return frozenset(bytes(subject_id) for subject_id in rows)

    def destroy_subjects(self, conn: Connection, subject_ids: Collection[bytes]) -> list[bytes]:
        """Destroy chain keys, counters, pseudonyms; return of whom: nothing is left of them."""
        over = _find_over(conn, subject_ids)
        if over:
            for statement in _DESTROY_SUBJECTS:
                conn.execute(statement, {"b_subjects": over})
        return over

    def list_lost(self, conn: Connection, limit: int) -> list[EndedRow]:
        """Return entries without content of which their person was not told yet."""
        return [
            EndedRow(
                row.idx, (row.quarter, row.number), bytes(row.subject_id), row.audience, row.at
            )
            for row in conn.execute(_LIST_LOST, {"b_limit": limit})
        ]

    def forget_lost(self, conn: Connection, indexes: Sequence[int]) -> None:
        """Take these off that list."""
        if indexes:
            conn.execute(_FORGET_LOST, [{"b_idx": index} for index in indexes])

    def list_chain_keys(
        self, conn: Connection, after: bytes, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Return subjects after this one with their sealed chain keys, in order."""
        rows = conn.execute(_CHAIN_KEYS, {"b_after": after, "b_limit": limit})
        return [(bytes(row[0]), bytes(row[1])) for row in rows]

    def list_quarter_keys(
        self, conn: Connection, after: Place, limit: int
    ) -> list[tuple[Place, bytes]]:
        """Return places after this one with their sealed keys, in order."""
        given = {"b_subject": after[0], "b_quarter": after[1], "b_limit": limit}
        rows = conn.execute(_QUARTER_KEYS, given)
        return [((bytes(row.subject_id), row.quarter), bytes(row.key_sealed)) for row in rows]

    def update_chain_keys(self, conn: Connection, keys: Mapping[bytes, bytes]) -> None:
        """Put sealed chain keys in the place of the same ones under another generation."""
        given = [{"b_subject": each, "b_key": sealed} for each, sealed in keys.items()]
        conn.execute(_UPDATE_CHAIN_KEY, given)

    def update_delayed_chain_key(self, conn: Connection, sealed: bytes) -> None:
        """Put the auditor's chain key in the place of the same one under another generation."""
        conn.execute(_UPDATE_DELAYED, {"b_key": sealed})


def _find_over(conn: Connection, subject_ids: Collection[bytes]) -> list[bytes]:
    """Return the subjects that no entry with an end and no row of a register names."""
    left = set(subject_ids)
    for statement in _ALIVE:
        if not left:
            break
        rows = conn.execute(statement, {"b_subjects": list(left)}).scalars()
        left -= {bytes(subject_id) for subject_id in rows}
    return sorted(left)
