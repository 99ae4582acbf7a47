"""Where suspensions lie (port: `broker.exchange.suspensions.SuspensionStore`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Executable, select
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters.sharing_store import note_change
from broker.adapters.tables import SuspensionRecord, table_of
from broker.sharing import SUSPENSIONS

_T = table_of(SuspensionRecord)
_READ = select(_T.c.partner, _T.c.number)


def _build_upsert() -> Mapping[str, Executable]:
    def finish(statement: sqlite.Insert | postgresql.Insert) -> Executable:
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=[_T.c.partner],
            set_={"number": new["number"], "since_at": new["since_at"]},
            where=_T.c.number < new["number"],
        )

    return {"sqlite": finish(sqlite.insert(_T)), "postgresql": finish(postgresql.insert(_T))}


_UPSERT = _build_upsert()


class SqlSuspensions:
    """Suspensions in the broker's database."""

    def read_numbers(self, conn: Connection) -> dict[str, int]:
        """Return the number of every partner that was ever suspended."""
        return {row.partner: row.number for row in conn.execute(_READ)}

    def write_number(self, conn: Connection, partner: str, number: int, now: datetime) -> None:
        """Write a partner's number; a lower one than is there changes nothing."""
        values = {"partner": partner, "number": number, "since_at": now}
        conn.execute(_UPSERT[conn.dialect.name], values)
        note_change(conn, SUSPENSIONS)
