"""Where references and introductions lie (port: `broker.pseudonyms.references.ReferenceStore`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import (
    Connection,
    Executable,
    String,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters import rows
from broker.adapters.log_tables import UtcSeconds
from broker.adapters.tables import (
    NOT_A_SESSION,
    IntroductionRecord,
    ReferenceRecord,
    table_of,
)
from broker.pseudonyms.references import Introduction, Kind, ReferenceRow, Target
from datwat.protocol.messages import Rung

_T = table_of(ReferenceRecord)
_COLUMNS = (
    _T.c.lookup,
    _T.c.partner,
    _T.c.sealed,
    _T.c.kind,
    _T.c.target,
    _T.c.given_at,
    _T.c.until_at,
    _T.c.shown_at,
    _T.c.shown_rung,
)
_THIS = _T.c.lookup == bindparam("b_lookup")
_OF = (
    _T.c.partner == bindparam("b_partner"),
    _T.c.kind == bindparam("b_kind"),
    _T.c.target == bindparam("b_target"),
    NOT_A_SESSION,  # said again, so that the partial index serves
)
_FIND = select(*_COLUMNS).where(_THIS)
_FIND_OF = select(*_COLUMNS).where(*_OF)
_LIST = select(*_COLUMNS).where(_T.c.target == bindparam("b_target")).order_by(_T.c.partner)
_TOUCH = (
    update(_T)
    .where(*_OF, _T.c.until_at > bindparam("b_now"))
    .values(
        until_at=bindparam("b_until"),
        shown_at=func.coalesce(bindparam("b_shown_at", type_=UtcSeconds), _T.c.shown_at),
        shown_rung=func.coalesce(bindparam("b_shown_rung", type_=String), _T.c.shown_rung),
    )
)
_UPDATE_END = update(_T).where(_THIS).values(until_at=bindparam("b_until"))
_DELETE = delete(_T).where(_THIS)
_DELETE_TARGET = delete(_T).where(_T.c.target == bindparam("b_target"))

_I = table_of(IntroductionRecord)
_THIS_CODE = _I.c.lookup == bindparam("b_lookup")
_FIND_CODE = select(
    _I.c.subject_id,
    _I.c.introduced_by,
    _I.c.audience,
    _I.c.occasion_id,
    _I.c.until_at,
    _I.c.redeemed_at,
).where(_THIS_CODE)
_INSERT_CODE = insert(_I)
_REDEEM = (
    update(_I)
    .where(_THIS_CODE, _I.c.redeemed_at.is_(None), _I.c.until_at > bindparam("b_now"))
    .values(redeemed_at=bindparam("b_now"), redeemed_rid=bindparam("b_rid"))
)


def _build_upsert() -> Mapping[str, Executable]:
    """Return the insert that takes the place of an ended row, and of no other."""

    def finish(statement: sqlite.Insert | postgresql.Insert) -> Executable:
        new = {c.name: statement.excluded[c.name] for c in _T.columns}
        return statement.on_conflict_do_update(
            index_elements=[_T.c.partner, _T.c.kind, _T.c.target],
            index_where=NOT_A_SESSION,
            set_=new,
            where=_T.c.until_at <= statement.excluded.given_at,
        ).execution_options(**rows.COUNTED)

    return {"sqlite": finish(sqlite.insert(_T)), "postgresql": finish(postgresql.insert(_T))}


_UPSERT = _build_upsert()


def _build_row(row: rows.AnyRow) -> ReferenceRow:
    target = Target(
        kind=row.kind,
        target=row.target,
        given_at=row.given_at,
        until_at=row.until_at,
        shown_at=row.shown_at,
        shown_rung=row.shown_rung,
    )
    return ReferenceRow(row.lookup, row.partner, row.sealed, target)


class SqlReferenceStore:
    """References and introductions in the broker's database."""

    def find_row(self, conn: Connection, lookup: bytes) -> ReferenceRow | None:
        """Return the row of a keyed hash, ended or not."""
        row = conn.execute(_FIND, {"b_lookup": lookup}).first()
        return None if row is None else _build_row(row)

    def find_row_of(
        self, conn: Connection, partner: str, kind: Kind, target: bytes
    ) -> ReferenceRow | None:
        """Return what this partner was given for this thing, ended or not; never a session's."""
        given = {"b_partner": partner, "b_kind": kind, "b_target": target}
        row = conn.execute(_FIND_OF, given).first()
        return None if row is None else _build_row(row)

    def list_rows(self, conn: Connection, target: bytes) -> list[ReferenceRow]:
        """Return every partner's reference to a thing, ended or not."""
        return [_build_row(row) for row in conn.execute(_LIST, {"b_target": target})]

    def insert_row(self, conn: Connection, row: ReferenceRow) -> None:
        """Add a row, in place of an ended one; raise RaceLost where one is in force."""
        target = row.target
        values = {
            "lookup": row.lookup,
            "partner": row.partner,
            "kind": target.kind,
            "target": target.target,
            "sealed": row.sealed,
            "given_at": target.given_at,
            "until_at": target.until_at,
            "shown_at": target.shown_at,
            "shown_rung": target.shown_rung,
        }
        rows.insert(conn, _UPSERT, values)

    def touch_row(
        self,
        conn: Connection,
        partner: str,
        kind: Kind,
        target: bytes,
        *,
        until_at: datetime,
        now: datetime,
        shown_rung: Rung | None,
    ) -> bool:
        """Write the end, and the showing if any, of what is in force; tell whether it was."""
        values = {
            "b_partner": partner,
            "b_kind": kind,
            "b_target": target,
            "b_until": until_at,
            "b_now": now,
            "b_shown_at": None if shown_rung is None else now,
            "b_shown_rung": shown_rung,
        }
        return rows.is_written(conn, _TOUCH, values)

    def update_end(self, conn: Connection, lookup: bytes, until_at: datetime) -> None:
        """Write the end of one row."""
        conn.execute(_UPDATE_END, {"b_lookup": lookup, "b_until": until_at})

    def delete_row(self, conn: Connection, lookup: bytes) -> None:
        """Delete a row, if it is there."""
        conn.execute(_DELETE, {"b_lookup": lookup})

    def delete_target(self, conn: Connection, target: bytes) -> None:
        """Delete every partner's references to a thing."""
        conn.execute(_DELETE_TARGET, {"b_target": target})

    def find_introduction(self, conn: Connection, lookup: bytes) -> Introduction | None:
        """Return the introduction of a keyed hash, ended or not."""
        row = conn.execute(_FIND_CODE, {"b_lookup": lookup}).first()
        return None if row is None else Introduction(*row)

    def insert_introduction(
        self, conn: Connection, lookup: bytes, to_partner: str, introduction: Introduction
    ) -> None:
        """Add an introduction."""
        values = {
            "lookup": lookup,
            "to_partner": to_partner,
            "subject_id": introduction.subject_id,
            "introduced_by": introduction.introduced_by,
            "audience": introduction.audience,
            "occasion_id": introduction.occasion_id,
            "until_at": introduction.until_at,
        }
        conn.execute(_INSERT_CODE, values)

    def redeem(self, conn: Connection, lookup: bytes, rid: bytes, now: datetime) -> bool:
        """Mark an introduction redeemed; tell whether it was in force and not yet redeemed."""
        values = {"b_lookup": lookup, "b_rid": rid, "b_now": now}
        return rows.is_written(conn, _REDEEM, values)
