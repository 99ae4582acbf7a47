"""Where the database says which epochs there are, and where rows are turned from one to the other.

Port: `broker.pseudonyms.rotation.RotationStore`. Rule: each row is turned by a statement that names
the epoch it is turned from, in one transaction with the cursor: whoever is killed between two of
them, or does the same twice, turns no row twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, and_, bindparam, or_, select, update

from broker.adapters.rows import COUNTED
from broker.adapters.tables import PseudonymRecord, PseudonymRotation, table_of
from broker.pseudonyms.errors import RaceLost, RotationConflict
from broker.pseudonyms.rotation import Epochs, PseudonymRow, TurnedRow
from datwat.party.hot import HotStatement

EPOCHS_ID = 1
_AT_ONCE = 1_000
_TWICE = (sqlite3.IntegrityError, psycopg.IntegrityError)
_T, _R = table_of(PseudonymRecord), table_of(PseudonymRotation)
EPOCH_COLUMNS = (_R.c.epoch, _R.c.leaving, _R.c.cursor, _R.c.turned, _R.c.is_done)
_FIND = select(*EPOCH_COLUMNS).where(_R.c.id == bindparam("b_id"))
_LIST = (
    select(_T.c.lookup, _T.c.subject_id, _T.c.epoch, _T.c.sealed)
    .where(_T.c.lookup > bindparam("b_after"))
    .order_by(_T.c.lookup)
    .limit(bindparam("b_limit"))
)
# In no order: it reads the table through once, which an order would make it do row by row.
_LEAVING = (
    select(_T.c.lookup, _T.c.subject_id, _T.c.epoch, _T.c.sealed)
    .where(_T.c.epoch == bindparam("b_leaving"))
    .execution_options(yield_per=_AT_ONCE)
)
_BEGIN = (
    update(_R)
    .where(
        _R.c.id == EPOCHS_ID,
        or_(
            and_(_R.c.leaving.is_(None), _R.c.epoch.in_((0, bindparam("b_leaving")))),
            and_(_R.c.leaving == bindparam("b_current"), _R.c.epoch == bindparam("b_leaving")),
        ),
    )
    .values(
        epoch=bindparam("b_current"),
        leaving=bindparam("b_leaving"),
        cursor=b"",
        turned=0,
        is_done=False,
    )
    .execution_options(**COUNTED)
)
_SAME = and_(
    _R.c.id == EPOCHS_ID,
    _R.c.epoch == bindparam("b_current"),
    _R.c.leaving == bindparam("b_leaving"),
    _R.c.cursor == bindparam("b_before"),
    _R.c.is_done.is_(False),
)
_MOVE = (
    update(_R)
    .where(_SAME)
    .values(
        cursor=bindparam("b_after"),
        turned=_R.c.turned + bindparam("b_turned"),
        is_done=bindparam("b_done"),
    )
    .execution_options(**COUNTED)
)
_END = (
    update(_R)
    .where(
        _R.c.id == EPOCHS_ID,
        _R.c.epoch == bindparam("b_current"),
        _R.c.leaving.is_not(None),
        _R.c.is_done.is_(True),
    )
    .values(leaving=None, cursor=b"", is_done=False)
    .execution_options(**COUNTED)
)
_TURN = HotStatement(
    lambda _name: (
        update(_T)
        .where(_T.c.lookup == bindparam("b_lookup"), _T.c.epoch == bindparam("b_leaving"))
        .values(
            lookup=bindparam("b_new"), sealed=bindparam("b_sealed"), epoch=bindparam("b_current")
        )
    )
)


def build_epochs(row: Sequence[Any]) -> Epochs:
    """Return what the values of `EPOCH_COLUMNS` say."""
    current, leaving, cursor, turned, is_done = row
    return Epochs(current, leaving, bytes(cursor), turned, bool(is_done))


class SqlRotationStore:
    """The rotation in the broker's database."""

    def find_epochs(self, conn: Connection) -> Epochs:
        """Return what the database says now."""
        return build_epochs(conn.execute(_FIND, {"b_id": EPOCHS_ID}).all()[0])

    def begin(self, conn: Connection, leaving: int, current: int) -> bool:
        """Have rows be turned from `leaving` to `current`; tell whether this changed anything."""
        given = {"b_leaving": leaving, "b_current": current}
        return conn.execute(_BEGIN, given).rowcount == 1

    def list_rows(self, conn: Connection, after: bytes, limit: int) -> list[PseudonymRow]:
        """Return rows of any epoch in the order of their index, after this one."""
        found = conn.execute(_LIST, {"b_after": after, "b_limit": limit})
        return [PseudonymRow(*row) for row in found]

    def turn_rows(
        self, conn: Connection, before: Epochs, rows: list[TurnedRow], cursor: bytes
    ) -> int:
        """Write turned rows and move the cursor; return how many rows were still to be turned."""
        try:
            values = [_build_values(row, before) for row in rows]
            turned = _TURN.run_all(conn, values) if values else 0
        except _TWICE:
            raise RotationConflict from None
        self._move(conn, before, cursor, turned, is_done=False)
        return turned

    def list_leaving(self, conn: Connection, epochs: Epochs) -> Iterator[PseudonymRow]:
        """Yield every row that lies under the epoch that is left, by one statement, in any order.

        Each is read as it is asked for: who has seen enough may stop.
        """
        with conn.execute(_LEAVING, {"b_leaving": epochs.leaving}) as found:
            for row in found:
                yield PseudonymRow(*row)

    def restart(self, conn: Connection, before: Epochs, *, is_done: bool) -> None:
        """Say that all are turned, or begin at the first row again; raise RaceLost."""
        self._move(conn, before, b"", 0, is_done=is_done)

    def end(self, conn: Connection, current: int) -> bool:
        """End a rotation that is done; tell whether there was one."""
        return conn.execute(_END, {"b_current": current}).rowcount == 1

    def _move(
        self, conn: Connection, before: Epochs, cursor: bytes, turned: int, *, is_done: bool
    ) -> None:
        given = {
            "b_current": before.current,
            "b_leaving": before.leaving,
            "b_before": before.cursor,
            "b_after": cursor,
            "b_turned": turned,
            "b_done": is_done,
        }
        if conn.execute(_MOVE, given).rowcount != 1:
            raise RaceLost


def _build_values(turned: TurnedRow, before: Epochs) -> dict[str, Any]:
    return {
        "b_lookup": turned.before,
        "b_leaving": before.leaving,
        "b_new": turned.row.index,
        "b_sealed": turned.row.sealed,
        "b_current": before.current,
    }
