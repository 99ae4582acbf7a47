"""Where the months lie that were counted (port: `broker.transparency.months.KeptMonths`).

Rule: the first count stays; what is kept holds numbers of ten and more, and each partner's own,
sealed and bound to its month.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from broker.adapters import rows
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.oversight_tables import MonthRecord
from broker.adapters.publication_tables import LOG_GENERATIONS
from broker.adapters.rows import RowSealer
from broker.transparency.figures import Month
from broker.transparency.months import KeptMonth, MonthWords

_M, _ENTRIES = table_of(MonthRecord), table_of(LogEntry)
_FIND = select(_M).where(_M.c.month == bindparam("b_month"))
_ADD = rows.build_insert(_M)
_FIND_BEGUN = select(_ENTRIES.c.at).order_by(_ENTRIES.c.idx).limit(1)


class SqlKeptMonths:
    """Implements `KeptMonths` for SQLite and PostgreSQL alike."""

    def __init__(self, sealer: RowSealer) -> None:
        """Keep what seals a month."""
        self._sealer = sealer

    def find(self, conn: Connection, month: Month) -> KeptMonth | None:
        """Return a month as it was counted; None where it was not."""
        row = conn.execute(_FIND, {"b_month": str(month)}).first()
        if row is None:
            return None
        words = self._sealer.unseal(_M.name, MonthWords, bytes(row.sealed), _id(month))
        return KeptMonth(month, row.counted_at, row.until_at, words)

    def add(self, conn: Connection, kept: KeptMonth) -> None:
        """Keep a month, unless somebody kept it before."""
        values = {
            "month": str(kept.month),
            "counted_at": kept.counted_at,
            "until_at": kept.until_at,
            "sealed": self._sealer.seal(_M.name, kept.words, _id(kept.month)),
        }
        rows.is_written(conn, _ADD[conn.dialect.name], values)

    def find_lost_at(self, conn: Connection) -> datetime | None:
        """Return when the log was begun anew, without what was counted; None if it never was."""
        if not conn.execute(select(func.count()).select_from(LOG_GENERATIONS)).scalar_one():
            return None
        begun: datetime = conn.execute(_FIND_BEGUN).scalar_one()
        return begun


def _id(month: Month) -> bytes:
    return str(month).encode()
