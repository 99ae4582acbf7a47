"""Where special situations lie (port: `broker.involvement.special_situations`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from broker.adapters import rows
from broker.adapters.tables import SpecialSituationRecord, table_of
from broker.involvement.special_situations import (
    SpecialSituationRow,
    derive_row_end,
    require_renewal,
)
from broker.pseudonyms.errors import RaceLost
from datwat.protocol.acts import Professional, SpecialSituation
from datwat.protocol.values import Value

SITUATIONS = table_of(SpecialSituationRecord)
_T = SITUATIONS
_THIS = _T.c.occasion_id == bindparam("b_id")
_COLUMNS = (_T.c.occasion_id, _T.c.sealed, _T.c.declared_at, _T.c.opened_at)
_FIND = select(*_COLUMNS).where(_THIS)
_UNOPENED = (
    select(*_COLUMNS)
    .where(_T.c.opened_at.is_(None))
    .order_by(_T.c.term_at, _T.c.occasion_id)
    .limit(bindparam("b_limit"))
)
_INSERT = rows.build_insert(_T)
_DELETE_OPENED = delete(_T).where(_THIS, _T.c.opened_at.is_not(None))
_UPDATE = (
    update(_T)
    .where(_THIS, _T.c.opened_at.is_(None))
    .values(
        sealed=bindparam("b_sealed"),
        term_at=bindparam("b_term"),
        opened_at=bindparam("b_opened"),
        until_at=bindparam("b_until"),
    )
)


class _Words(Value):
    stated: SpecialSituation
    opened_by: Professional | None


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

    def list_unopened(self, conn: Connection, limit: int) -> tuple[SpecialSituationRow, ...]:
        """Return what is not opened, the earliest end first."""
        found = conn.execute(_UNOPENED, {"b_limit": limit})
        return tuple(self.build_row(*row) for row in found)

    def renew(
        self, conn: Connection, occasion_id: bytes, until_at: datetime, now: datetime
    ) -> None:
        """Move the end. Raises RenewalRefusedError, and RaceLost where there is none to renew."""
        situation = self._require_situation(conn, occasion_id)
        require_renewal(situation, until_at, now)
        stated = situation.stated.model_copy(update={"until_at": until_at})
        self._update(conn, SpecialSituationRow(occasion_id, stated, situation.declared_at))

    def mark_opened(
        self, conn: Connection, occasion_id: bytes, by: Professional | None, now: datetime
    ) -> None:
        """Mark it opened, by a person or (None) by its term; RaceLost where it is already."""
        situation = self._require_situation(conn, occasion_id)
        opened = SpecialSituationRow(
            occasion_id, situation.stated, situation.declared_at, opened_at=now, opened_by=by
        )
        self._update(conn, opened)

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
            occasion_id, words.stated, declared_at, opened_at, words.opened_by
        )

    def _require_situation(self, conn: Connection, occasion_id: bytes) -> SpecialSituationRow:
        situation = self.find_situation(conn, occasion_id)
        if situation is None:
            raise RaceLost
        return situation

    def _seal(self, situation: SpecialSituationRow) -> bytes:
        words = _Words(stated=situation.stated, opened_by=situation.opened_by)
        return self._sealer.seal(_T.name, words, situation.occasion_id)

    def _update(self, conn: Connection, situation: SpecialSituationRow) -> None:
        values = {
            "b_id": situation.occasion_id,
            "b_sealed": self._seal(situation),
            "b_term": situation.stated.until_at,
            "b_opened": situation.opened_at,
            "b_until": derive_row_end(situation),
        }
        rows.write(conn, _UPDATE, values)
