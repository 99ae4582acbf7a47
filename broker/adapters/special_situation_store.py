"""Where special situations lie (port: `broker.involvement.special_situations`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from broker.adapters import rows
from broker.adapters.tables import SpecialSituationRecord, table_of
from broker.involvement.special_situations import (
    Place,
    SpecialSituationRow,
    derive_number,
    derive_row_end,
)
from broker.pseudonyms.errors import RaceLost
from datwat.protocol.acts import Professional, SpecialSituation
from datwat.protocol.values import Bytes16, Value

SITUATIONS = table_of(SpecialSituationRecord)
_T = SITUATIONS
_THIS = _T.c.occasion_id == bindparam("b_id")
_COLUMNS = (_T.c.occasion_id, _T.c.sealed, _T.c.declared_at, _T.c.opened_at)
_FIND = select(*_COLUMNS).where(_THIS)
_WAITS = _T.c.opened_at.is_(None)
_FIND_NUMBER = select(*_COLUMNS).where(_T.c.number == bindparam("b_number"), _WAITS)
_UNOPENED = (
    select(*_COLUMNS).where(_WAITS).order_by(_T.c.term_at, _T.c.number).limit(bindparam("b_limit"))
)
_UNOPENED_AFTER = _UNOPENED.where(
    _T.c.term_at >= bindparam("b_term"),
    or_(_T.c.term_at > bindparam("b_term"), _T.c.number > bindparam("b_number")),
)
_COUNT = select(func.count()).select_from(_T).where(_WAITS)
_COUNT_OVERDUE = _COUNT.where(_T.c.by_itself.is_(False), _T.c.term_at <= bindparam("b_now"))
# What waits for a person has no end, and may not stand before what opens by itself.
_DUE = (
    select(_T.c.occasion_id)
    .where(_WAITS, _T.c.by_itself.is_(True), _T.c.term_at <= bindparam("b_now"))
    .order_by(_T.c.term_at)
    .limit(bindparam("b_limit"))
)
_INSERT = rows.build_insert(_T)
_DELETE_OPENED = delete(_T).where(_THIS, _T.c.opened_at.is_not(None))
_UPDATE = (
    update(_T)
    .where(_THIS, _T.c.opened_at.is_(None))
    .values(
        sealed=bindparam("b_sealed"),
        by_itself=bindparam("b_by_itself"),
        term_at=bindparam("b_term"),
        opened_at=bindparam("b_opened"),
        until_at=bindparam("b_until"),
    )
)


class _Words(Value):
    id: Bytes16
    stated: SpecialSituation
    opened_by: Professional | None
    refused: bool


class SqlSpecialSituations:
    """Special situations in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def declare(self, conn: Connection, situation: SpecialSituationRow) -> None:
        """Add one, in place of an opened one; RaceLost where one is not opened yet."""
        conn.execute(_DELETE_OPENED, {"b_id": situation.occasion_id})
        values = {
            "occasion_id": situation.occasion_id,
            "number": derive_number(situation),
            "by_itself": situation.stated.opening == "automatic",
            "declared_at": situation.declared_at,
            "term_at": situation.stated.until_at,
            "opened_at": None,
            "until_at": derive_row_end(situation),
            "sealed": self._seal(situation),
        }
        rows.insert(conn, _INSERT, values)

    def find_situation(self, conn: Connection, occasion_id: bytes) -> SpecialSituationRow | None:
        """Return the special situation of an occasion, opened or not."""
        row = conn.execute(_FIND, {"b_id": occasion_id}).first()
        return None if row is None else self.build_row(*row)

    def find_unopened(self, conn: Connection, number: str) -> SpecialSituationRow | None:
        """Return what is not opened under a number (`derive_number`)."""
        row = conn.execute(_FIND_NUMBER, {"b_number": number}).first()
        return None if row is None else self.build_row(*row)

    def list_unopened(
        self, conn: Connection, limit: int, after: Place | None = None
    ) -> tuple[SpecialSituationRow, ...]:
        """Return what is not opened, the earliest end first, from beyond a place in that order."""
        if after is None:
            found = conn.execute(_UNOPENED, {"b_limit": limit})
        else:
            this = {"b_limit": limit, "b_term": after[0], "b_number": after[1]}
            found = conn.execute(_UNOPENED_AFTER, this)
        return tuple(self.build_row(*row) for row in found)

    def count_unopened(self, conn: Connection, now: datetime) -> tuple[int, int]:
        """Return how many are not opened, and how many of these are overdue."""
        waiting: int | None = conn.execute(_COUNT).scalar()
        overdue: int | None = conn.execute(_COUNT_OVERDUE, {"b_now": now}).scalar()
        return waiting or 0, overdue or 0

    def list_due(self, conn: Connection, now: datetime, limit: int) -> list[bytes]:
        """Return the occasions whose special situation must open by itself now."""
        found = conn.execute(_DUE, {"b_now": now, "b_limit": limit})
        return [row.occasion_id for row in found]

    def renew(self, conn: Connection, situation: SpecialSituationRow) -> None:
        """Write what is stated anew; RaceLost where this very one does not wait any more."""
        if self._require_situation(conn, situation.occasion_id).id != situation.id:
            raise RaceLost
        self._update(conn, situation)

    def mark_opened(
        self, conn: Connection, occasion_id: bytes, by: Professional | None, now: datetime
    ) -> None:
        """Mark it opened, by a person or (None) by its term; RaceLost where it is already."""
        situation = self._require_situation(conn, occasion_id)
        self._update(conn, replace(situation, opened_at=now, opened_by=by))

    def build_row(
        self,
        occasion_id: bytes,
        sealed: bytes,
        declared_at: datetime,
        opened_at: datetime | None,
    ) -> SpecialSituationRow:
        """Return the special situation of a row; raise RowMismatch where it is another's."""
        words = self._sealer.unseal(_T.name, _Words, sealed, occasion_id)
        return SpecialSituationRow(
            occasion_id,
            words.stated,
            declared_at,
            opened_at,
            words.opened_by,
            words.id,
            refused=words.refused,
        )

    def _require_situation(self, conn: Connection, occasion_id: bytes) -> SpecialSituationRow:
        situation = self.find_situation(conn, occasion_id)
        if situation is None:
            raise RaceLost
        return situation

    def _seal(self, situation: SpecialSituationRow) -> bytes:
        words = _Words(
            id=situation.id,
            stated=situation.stated,
            opened_by=situation.opened_by,
            refused=situation.refused,
        )
        return self._sealer.seal(_T.name, words, situation.occasion_id)

    def _update(self, conn: Connection, situation: SpecialSituationRow) -> None:
        values = {
            "b_id": situation.occasion_id,
            "b_sealed": self._seal(situation),
            "b_by_itself": situation.stated.opening == "automatic",
            "b_term": situation.stated.until_at,
            "b_opened": situation.opened_at,
            "b_until": derive_row_end(situation),
        }
        rows.write(conn, _UPDATE, values)
