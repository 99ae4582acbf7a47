"""The keys of subjects and quarters, as the log's store keeps them sealed.

Rule: known persons cost the same inserts (`even_writes.py`): what is new must cost no more.
Each question reads keys, and each piece of what ends those of many persons: so the statement is
compiled once, for one subject and for many.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, insert, select

from broker.adapters.log_tables import DataSubject, QuarterKey, derive_seconds, table_of
from broker.adapters.rows import build_hot_insert
from broker.audit.ports import SealedKeys
from datwat.party.hot import HotStatement, build_places, fill_places

_AT_ONCE = 32

_SUBJECTS, _KEYS = table_of(DataSubject), table_of(QuarterKey)
_INSERT_SUBJECT = HotStatement(lambda _name: insert(_SUBJECTS))
_INSERT_KEY = build_hot_insert(_KEYS)
_FETCH_QUARTER_KEYS = (
    select(_KEYS.c.quarter, _KEYS.c.key_sealed)
    .where(_KEYS.c.subject_id == bindparam("subject_id"))
    .where(_KEYS.c.quarter.in_(bindparam("quarters", expanding=True)))
)


def _build_fetch_keys(count: int) -> HotStatement:
    same = and_(
        _KEYS.c.subject_id == _SUBJECTS.c.subject_id, _KEYS.c.quarter == bindparam("quarter")
    )
    return HotStatement(
        lambda _name: (
            select(_SUBJECTS.c.subject_id, _SUBJECTS.c.chain_key_sealed, _KEYS.c.key_sealed)
            .select_from(_SUBJECTS.outerjoin(_KEYS, same))
            .where(_SUBJECTS.c.subject_id.in_(build_places("id", count)))
        )
    )


_FETCH_KEYS = {count: _build_fetch_keys(count) for count in (1, _AT_ONCE)}


class SqlLogKeys:
    """The part of `broker.audit.ports.LogStore` that is about keys."""

    def insert_subject(
        self, connection: Connection, subject_id: bytes, chain_key_sealed: bytes, at: datetime
    ) -> None:
        """Write a new data subject."""
        _INSERT_SUBJECT.run(
            connection,
            {
                "subject_id": subject_id,
                "chain_key_sealed": chain_key_sealed,
                "created_at": derive_seconds(at),
            },
        )

    def insert_quarter_key(
        self, connection: Connection, subject_id: bytes, quarter: str, key_sealed: bytes
    ) -> bool:
        """Write a key; return False if that quarter has one already."""
        values = {"subject_id": subject_id, "quarter": quarter, "key_sealed": key_sealed}
        return _INSERT_KEY.run(connection, values) == 1

    def fetch_keys(
        self, connection: Connection, subject_ids: Collection[bytes], quarter: str
    ) -> Sequence[SealedKeys]:
        """Return the keys of the subjects that exist."""
        ids, found = list(subject_ids), list[SealedKeys]()
        count = _AT_ONCE if len(ids) > 1 else 1
        for start in range(0, len(ids), count):
            values = fill_places("id", ids[start : start + count], count)
            rows = _FETCH_KEYS[count].fetch_rows(connection, {**values, "quarter": quarter})
            found += [SealedKeys(*row) for row in rows]
        return found

    def fetch_quarter_keys(
        self, connection: Connection, subject_id: bytes, quarters: Collection[str]
    ) -> Mapping[str, bytes]:
        """Return the sealed key of each quarter that still has one."""
        rows = connection.execute(
            _FETCH_QUARTER_KEYS, {"subject_id": subject_id, "quarters": list(quarters)}
        )
        return {row[0]: row[1] for row in rows}
