"""Where notices to partners wait (port: `broker.involvement.notices.Notices`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from broker.adapters import rows
from broker.adapters.tables import NoticeRecord, table_of
from broker.involvement.notices import Notice, OpenedEntry, UnreadableRow, derive_next_try
from datwat.protocol.deliveries import EndedNotice
from datwat.protocol.values import Value

_T = table_of(NoticeRecord)
_THIS = _T.c.id == bindparam("b_id")
_INSERT = insert(_T)
_DUE = (
    select(_T)
    .where(_T.c.next_at <= bindparam("b_now"), _T.c.until_at > bindparam("b_now"))
    .order_by(_T.c.next_at, _T.c.id)
    .limit(bindparam("b_limit"))
)
_PUT_OFF = update(_T).where(_THIS).values(tries=bindparam("b_tries"), next_at=bindparam("b_next"))
_REMOVE = delete(_T).where(_THIS)


class _Words(Value):
    content: OpenedEntry | EndedNotice


class SqlNotices:
    """Notices in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add(self, conn: Connection, notice: Notice, now: datetime) -> None:
        """Add a notice; it is due at once."""
        values = {
            "id": notice.id,
            "partner": notice.to,
            "type": notice.type,
            "tries": notice.tries,
            "next_at": now,
            "until_at": notice.until_at,
            "sealed": self._sealer.seal(_T.name, _Words(content=notice.content), notice.id),
        }
        conn.execute(_INSERT, values)

    def list_due(
        self,
        conn: Connection,
        now: datetime,
        limit: int,
        unreadable: list[UnreadableRow] | None = None,
    ) -> list[Notice]:
        """Return what is to be tried now, the longest due first."""
        found = conn.execute(_DUE, {"b_now": now, "b_limit": limit})
        return rows.build_readable(found, self._build, unreadable)

    def put_off(self, conn: Connection, notice: Notice | UnreadableRow, now: datetime) -> None:
        """Write that it failed once more, and when it is tried again."""
        next_at = derive_next_try(notice.tries, now)
        values = {"b_id": notice.id, "b_tries": notice.tries + 1, "b_next": next_at}
        conn.execute(_PUT_OFF, values)

    def remove(self, conn: Connection, notice_id: bytes) -> None:
        """Destroy a notice that arrived."""
        conn.execute(_REMOVE, {"b_id": notice_id})

    def _build(self, row: rows.AnyRow) -> Notice:
        return Notice(
            id=row.id,
            to=row.partner,
            type=row.type,
            content=self._sealer.unseal(_T.name, _Words, row.sealed, row.id).content,
            until_at=row.until_at,
            tries=row.tries,
        )
