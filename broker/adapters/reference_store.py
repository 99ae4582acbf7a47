"""Where references and introductions lie (port: `broker.pseudonyms.references.ReferenceStore`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters import rows
from broker.adapters.log_tables import derive_seconds
from broker.adapters.tables import (
    NOT_A_SESSION,
    IntroductionRecord,
    ReferenceRecord,
    table_of,
)
from broker.audit.ended import EndedKind, note_ended
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.reference_rows import (
    SESSION_KINDS,
    Introduction,
    Kind,
    ReferenceRow,
    Target,
    Touch,
)
from datwat.party.hot import HotStatement

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
# During a rotation of the row key a row lies under one of two; else both are the same.
_EITHER = or_(_THIS, _T.c.lookup == bindparam("b_other"))
_OF = (
    _T.c.partner == bindparam("b_partner"),
    _T.c.kind == bindparam("b_kind"),
    _T.c.target == bindparam("b_target"),
    NOT_A_SESSION,  # said again, so that the partial index serves
)
_FIND = select(*_COLUMNS).where(_EITHER)
_FIND_OF = select(*_COLUMNS).where(*_OF)
_FIND_ALL_OF = select(*_COLUMNS).where(
    *_OF[:2], _T.c.target.in_(bindparam("b_targets", expanding=True)), NOT_A_SESSION
)
_LIST = select(*_COLUMNS).where(_T.c.target == bindparam("b_target")).order_by(_T.c.partner)
_TOUCH = HotStatement(
    lambda _name: (
        update(_T)
        .where(*_OF, _T.c.until_at > bindparam("b_now"))
        .values(
            until_at=bindparam("b_until"),
            shown_at=func.coalesce(bindparam("b_shown_at"), _T.c.shown_at),
            shown_rung=func.coalesce(bindparam("b_shown_rung"), _T.c.shown_rung),
        )
    )
)
_UPDATE_END = update(_T).where(_THIS).values(until_at=bindparam("b_until"))
_DELETE = delete(_T).where(_EITHER).returning(_T.c.kind)
_DELETE_TARGET = delete(_T).where(_T.c.target == bindparam("b_target"))

_I = table_of(IntroductionRecord)
_THIS_CODE = or_(_I.c.lookup == bindparam("b_lookup"), _I.c.lookup == bindparam("b_other"))
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


def _build_upsert(name: str) -> sqlite.Insert | postgresql.Insert:
    """Return the insert that takes the place of an ended row, and of no other."""
    statement: sqlite.Insert | postgresql.Insert = (
        postgresql.insert(_T) if name == "postgresql" else sqlite.insert(_T)
    )
    return statement.on_conflict_do_update(
        index_elements=[_T.c.partner, _T.c.kind, _T.c.target],
        index_where=NOT_A_SESSION,
        set_={c.name: statement.excluded[c.name] for c in _T.columns},
        where=_T.c.until_at <= statement.excluded.given_at,
    )


_UPSERT = HotStatement(_build_upsert)


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


def _bind(lookups: Sequence[bytes]) -> dict[str, Any]:
    return {"b_lookup": lookups[0], "b_other": lookups[-1]}


def _note_ended(kind: EndedKind, lookups: Sequence[bytes]) -> None:
    """Note it under each keyed hash: a backup of before or after it moved may be put back."""
    for lookup in lookups:
        note_ended(kind, lookup)


class SqlReferenceStore:
    """References and introductions in the broker's database."""

    def find_row(self, conn: Connection, lookups: Sequence[bytes]) -> ReferenceRow | None:
        """Return the row that lies under one of one or two keyed hashes, ended or not."""
        row = conn.execute(_FIND, _bind(lookups)).first()
        return None if row is None else _build_row(row)

    def find_row_of(
        self, conn: Connection, partner: str, kind: Kind, target: bytes
    ) -> ReferenceRow | None:
        """Return what this partner was given for this thing, ended or not; never a session's."""
        given = {"b_partner": partner, "b_kind": kind, "b_target": target}
        row = conn.execute(_FIND_OF, given).first()
        return None if row is None else _build_row(row)

    def find_rows_of(
        self, conn: Connection, partner: str, kind: Kind, targets: Sequence[bytes]
    ) -> list[ReferenceRow]:
        """Return what this partner was given for each of these things, as `find_row_of` does."""
        given = {"b_partner": partner, "b_kind": kind, "b_targets": list(targets)}
        return [_build_row(row) for row in conn.execute(_FIND_ALL_OF, given)]

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
            "given_at": derive_seconds(target.given_at),
            "until_at": derive_seconds(target.until_at),
            "shown_at": target.shown_at and derive_seconds(target.shown_at),
            "shown_rung": target.shown_rung,
        }
        if not _UPSERT.run(conn, values):
            raise RaceLost

    def touch_rows(
        self, conn: Connection, partner: str, kind: Kind, touches: Sequence[Touch], now: datetime
    ) -> int:
        """Write the end, and the showing if any, of what is in force; return how many were."""
        at = derive_seconds(now)
        values = [
            {
                "b_partner": partner,
                "b_kind": kind,
                "b_target": touch.target,
                "b_until": derive_seconds(touch.until_at),
                "b_now": at,
                "b_shown_at": None if touch.shown_rung is None else at,
                "b_shown_rung": touch.shown_rung,
            }
            for touch in touches
        ]
        return _TOUCH.run_all(conn, values) if len(values) > 1 else _TOUCH.run(conn, values[0])

    def update_end(self, conn: Connection, lookup: bytes, until_at: datetime) -> None:
        """Write the end of one row."""
        conn.execute(_UPDATE_END, {"b_lookup": lookup, "b_until": until_at})

    def delete_row(self, conn: Connection, lookups: Sequence[bytes]) -> None:
        """Delete the row under one of these, if it is there."""
        kind = conn.execute(_DELETE, _bind(lookups)).scalar()
        if kind is not None and kind not in SESSION_KINDS:
            _note_ended("reference", lookups)

    def delete_target(self, conn: Connection, target: bytes) -> None:
        """Delete every partner's references to a thing."""
        conn.execute(_DELETE_TARGET, {"b_target": target})

    def find_introduction(self, conn: Connection, lookups: Sequence[bytes]) -> Introduction | None:
        """Return the introduction under one of one or two keyed hashes, ended or not."""
        row = conn.execute(_FIND_CODE, _bind(lookups)).first()
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

    def redeem(self, conn: Connection, lookups: Sequence[bytes], rid: bytes, now: datetime) -> bool:
        """Mark an introduction redeemed; tell whether it was in force and not yet redeemed."""
        values = {**_bind(lookups), "b_rid": rid, "b_now": now}
        redeemed = rows.is_written(conn, _REDEEM, values)
        if redeemed:
            _note_ended("introduction", lookups)
        return redeemed
