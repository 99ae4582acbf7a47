"""Where the pseudonyms of data subjects lie (port: `broker.pseudonyms.subjects.SubjectStore`).

Rule: rows and the epochs that are in use are read in one statement, and a new row is written only
while the epoch it is of is the one that rows are written under: its row is held until the commit,
so that a rotation begins before or after, never in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from broker.adapters.log_tables import derive_seconds
from broker.adapters.rotation_store import EPOCH_COLUMNS, EPOCHS_ID, build_epochs
from broker.adapters.rows import build_hot_insert
from broker.adapters.tables import PseudonymRecord, PseudonymRotation, table_of
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.rotation import PseudonymRow
from broker.pseudonyms.subjects import Seen, SubjectId
from datwat.party.hot import HotStatement

_T, _R = table_of(PseudonymRecord), table_of(PseudonymRotation)
_FIND = (
    select(*EPOCH_COLUMNS, _T.c.lookup, _T.c.subject_id, _T.c.epoch, _T.c.sealed)
    .select_from(_R.outerjoin(_T, _T.c.lookup.in_(bindparam("b_lookups", expanding=True))))
    .where(_R.c.id == bindparam("b_id"))
)
_COUNT = len(EPOCH_COLUMNS)
_INSERT = build_hot_insert(_T)
_EXTEND = HotStatement(
    lambda _name: (
        update(_T)
        .where(_T.c.subject_id == bindparam("b_subject"), _T.c.until_at < bindparam("b_until"))
        .values(until_at=bindparam("b_until"))
    )
)
# SQLite has one writer at a time and no row locks: there it is a plain read.
_HOLD = HotStatement(
    lambda _name: (
        select(_R.c.epoch).where(_R.c.id == bindparam("b_id")).with_for_update(key_share=True)
    )
)
_BEGIN = HotStatement(
    lambda _name: (
        update(_R)
        .where(_R.c.id == bindparam("b_id"), _R.c.epoch == bindparam("b_none"))
        .values(epoch=bindparam("b_epoch"))
    )
)
_NONE = 0


class SqlSubjectStore:
    """Pseudonym rows in the broker's database."""

    def find_rows(self, conn: Connection, indices: Sequence[bytes]) -> Seen:
        """Return the rows that lie under any of these, and the epochs at the same moment."""
        found = conn.execute(_FIND, {"b_id": EPOCHS_ID, "b_lookups": list(indices)}).all()
        rows = [PseudonymRow(*row[_COUNT:]) for row in found if row[_COUNT] is not None]
        return Seen(build_epochs(found[0][:_COUNT]), rows)

    def insert_row(self, conn: Connection, row: PseudonymRow, until_at: datetime) -> None:
        """Add a row; raise RaceLost as the port says."""
        self._hold_epoch(conn, row.epoch)
        values = {
            "lookup": row.index,
            "subject_id": row.subject_id,
            "epoch": row.epoch,
            "sealed": row.sealed,
            "until_at": derive_seconds(until_at),
        }
        if not _INSERT.run(conn, values):
            raise RaceLost

    def _hold_epoch(self, conn: Connection, epoch: int) -> None:
        found = _HOLD.find_row(conn, {"b_id": EPOCHS_ID})
        if found == (_NONE,):
            _BEGIN.run(conn, {"b_id": EPOCHS_ID, "b_none": _NONE, "b_epoch": epoch})
            found = _HOLD.find_row(conn, {"b_id": EPOCHS_ID})
        if found != (epoch,):
            raise RaceLost

    def extend_row(self, conn: Connection, subject_id: SubjectId, until_at: datetime) -> None:
        """Move the end of a subject's row to `until_at`, never to an earlier moment.

        A new row looks which epoch is in use: a known person costs that look too.
        """
        _HOLD.find_row(conn, {"b_id": EPOCHS_ID})
        _EXTEND.run(conn, {"b_subject": subject_id, "b_until": derive_seconds(until_at)})
