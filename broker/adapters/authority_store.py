"""Where records of authority lie (port: `broker.involvement.authority.Authorities`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from broker.adapters import rows
from broker.adapters.tables import AuthorityRecord, table_of
from broker.involvement.authority import AuthorityRow

_T = table_of(AuthorityRecord)
_INSERT = insert(_T)
_END = (
    update(_T)
    .where(_T.c.id == bindparam("b_id"))
    .values(until_at=bindparam("b_now"), sealed=bindparam("b_sealed"))
)
_LIST = (
    select(_T.c.id, _T.c.sealed)
    .where(_T.c.subject_id == bindparam("b_subject"), _T.c.until_at > bindparam("b_now"))
    .limit(100)
)


class SqlAuthorities:
    """Records of authority in the broker's database, sealed whole."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add(self, conn: Connection, row: AuthorityRow) -> None:
        """Add a record; an earlier one stays until its own end."""
        values = {
            "id": row.id,
            "subject_id": row.subject_id,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_T.name, row, row.id, row.subject_id),
        }
        conn.execute(_INSERT, values)

    def list_current(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[AuthorityRow, ...]:
        """Return the records about a person that hold at `now`, the newest first."""
        found = conn.execute(_LIST, {"b_subject": subject_id, "b_now": now})
        records = [
            self._sealer.unseal(_T.name, AuthorityRow, row.sealed, row.id, subject_id)
            for row in found
        ]
        return tuple(sorted(records, key=lambda row: (row.checked_at, row.id), reverse=True))

    def end(self, conn: Connection, row: AuthorityRow, now: datetime) -> None:
        """End a record now; RaceLost where it is gone."""
        ended = row.model_copy(update={"until_at": now})
        sealed = self._sealer.seal(_T.name, ended, row.id, row.subject_id)
        rows.write(conn, _END, {"b_id": row.id, "b_now": now, "b_sealed": sealed})
