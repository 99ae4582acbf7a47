"""Where the pseudonyms of data subjects lie (port: `broker.pseudonyms.subjects.SubjectStore`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from broker.adapters.log_tables import derive_seconds
from broker.adapters.rows import build_hot_insert
from broker.adapters.tables import PseudonymRecord, table_of
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.subjects import PseudonymRow, SubjectId
from datwat.party.hot import HotStatement

_T = table_of(PseudonymRecord)
_FIND = select(_T.c.lookup, _T.c.subject_id, _T.c.epoch, _T.c.sealed).where(
    _T.c.lookup == bindparam("b_lookup")
)
_INSERT = build_hot_insert(_T)
_EXTEND = HotStatement(
    lambda _name: (
        update(_T)
        .where(_T.c.subject_id == bindparam("b_subject"), _T.c.until_at < bindparam("b_until"))
        .values(until_at=bindparam("b_until"))
    )
)


class SqlSubjectStore:
    """Pseudonym rows in the broker's database."""

    def find_row(self, conn: Connection, index: bytes) -> PseudonymRow | None:
        """Return the row of an index, or None."""
        row = conn.execute(_FIND, {"b_lookup": index}).first()
        return None if row is None else PseudonymRow(*row)

    def insert_row(self, conn: Connection, row: PseudonymRow, until_at: datetime) -> None:
        """Add a row; raise RaceLost if its index or its subject is there already."""
        values = {
            "lookup": row.index,
            "subject_id": row.subject_id,
            "epoch": row.epoch,
            "sealed": row.sealed,
            "until_at": derive_seconds(until_at),
        }
        if not _INSERT.run(conn, values):
            raise RaceLost

    def extend_row(self, conn: Connection, subject_id: SubjectId, until_at: datetime) -> None:
        """Move the end of a subject's row to `until_at`, never to an earlier moment."""
        _EXTEND.run(conn, {"b_subject": subject_id, "b_until": derive_seconds(until_at)})
