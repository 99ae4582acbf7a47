"""Where consents, objections and shields lie (port: `broker.consent.register.ConsentRegister`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters import rows
from broker.adapters.log_tables import UtcSeconds
from broker.adapters.tables import ConsentRecord, ObjectionRecord, ShieldRecord, table_of
from broker.audit.ended import note_ended
from broker.consent.models import (
    ConsentRow,
    ObjectionRow,
    Reply,
    Shield,
    derive_answer_end,
)
from datwat.protocol.own_affairs import ObjectionState

_C = table_of(ConsentRecord)
_OF_PERSON = (_C.c.subject_id == bindparam("b_subject"), _C.c.until_at > bindparam("b_now"))
_CONSENT = select(_C.c.id, _C.c.subject_id, _C.c.withdrawn_at, _C.c.sealed).where(*_OF_PERSON)
_FIND = _CONSENT.where(_C.c.id == bindparam("b_id"))
_NEWEST = _CONSENT.order_by(_C.c.given_at.desc(), _C.c.id).limit(200)
_INSERT = insert(_C)
_WITHDRAW = (
    update(_C)
    .where(*_OF_PERSON, _C.c.id == bindparam("b_id"), _C.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("b_now"))
)

_O = table_of(ObjectionRecord)
_OBJECTION = select(_O.c.id, _O.c.subject_id, _O.c.state, _O.c.answered_at, _O.c.sealed)
_OBJECTION_OF = _OBJECTION.where(
    _O.c.subject_id == bindparam("b_subject"), _O.c.until_at > bindparam("b_now")
)
_LIST_OBJECTIONS = _OBJECTION_OF.order_by(_O.c.made_at.desc(), _O.c.id).limit(200)
_FIND_OBJECTION = _OBJECTION_OF.where(_O.c.id == bindparam("b_id"))
_WAITING = (_O.c.answered_at.is_(None), _O.c.until_at > bindparam("b_now"))
_LIST_WAITING = (
    _OBJECTION.where(*_WAITING).order_by(_O.c.made_at, _O.c.id).limit(bindparam("b_limit"))
)
_MADE_AT = select(_O.c.made_at).where(*_WAITING)
_INSERT_OBJECTION = insert(_O)
_LIFT = delete(_O).where(_O.c.id == bindparam("b_id"))
_KEEP = (
    update(_O)
    .where(_O.c.id == bindparam("b_id"))
    .values(
        sealed=bindparam("b_sealed"),
        answered_at=func.coalesce(_O.c.answered_at, bindparam("b_now", type_=UtcSeconds)),
    )
)
_ANSWER = (
    update(_O)
    .where(_O.c.id == bindparam("b_id"), _O.c.state == "open")
    .values(
        state=bindparam("b_state"), answered_at=bindparam("b_now"), sealed=bindparam("b_sealed")
    )
)

_S = table_of(ShieldRecord)
_FIND_SHIELD = select(_S.c.own_at, _S.c.open_at, _S.c.until_at, _S.c.lifted).where(
    _S.c.subject_id == bindparam("b_subject"), _S.c.until_at > bindparam("b_now")
)
_NO_SHIELD = b"null"
_UNSHIELD = delete(_S).where(_S.c.subject_id == bindparam("b_subject"))
_SHIELD = {
    name: dialect.insert(_S).on_conflict_do_update(
        index_elements=[_S.c.subject_id],
        set_={name: bindparam(f"b_{name}") for name in Shield.model_fields},
    )
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


class SqlConsentRegister:
    """Consents, objections and shields in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add_consent(self, conn: Connection, row: ConsentRow) -> None:
        """Add a consent."""
        values = {
            "id": row.id,
            "subject_id": row.subject_id,
            "given_at": row.given_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_C.name, row, row.id, row.subject_id),
        }
        conn.execute(_INSERT, values)

    def find_consent(
        self, conn: Connection, subject_id: bytes, consent_id: bytes, now: datetime
    ) -> ConsentRow | None:
        """Return this person's consent of that id, withdrawn or not; None for anybody else's."""
        this = {"b_subject": subject_id, "b_id": consent_id, "b_now": now}
        row = conn.execute(_FIND, this).first()
        return None if row is None else self._build_consent(row)

    def withdraw(
        self, conn: Connection, subject_id: bytes, consent_id: bytes, now: datetime
    ) -> None:
        """Withdraw this person's consent; RaceLost where it is withdrawn or over already."""
        this = {"b_subject": subject_id, "b_id": consent_id, "b_now": now}
        rows.write(conn, _WITHDRAW, this)
        note_ended("consent", consent_id)

    def list_consents(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[ConsentRow, ...]:
        """Return a person's consents, withdrawn ones too, the newest first."""
        found = conn.execute(_NEWEST, {"b_subject": subject_id, "b_now": now})
        return tuple(self._build_consent(row) for row in found)

    def add_objection(self, conn: Connection, row: ObjectionRow) -> None:
        """Add an objection."""
        values = {
            "id": row.id,
            "subject_id": row.subject_id,
            "state": row.state,
            # What somebody states of the day does not decide when an answer is due.
            "made_at": row.waiting_since,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_O.name, row, row.id, row.subject_id),
        }
        conn.execute(_INSERT_OBJECTION, values)
        # Its reason stays in the database: the ratchet holds what an objection must do.
        kept = row.model_copy(update={"reason": ""}).model_dump_json()
        note_ended("objection", row.id, words=kept.encode())

    def find_objection(
        self, conn: Connection, subject_id: bytes, objection_id: bytes, now: datetime
    ) -> ObjectionRow | None:
        """Return this person's objection of that id, lifted or not; None for anybody else's."""
        this = {"b_subject": subject_id, "b_id": objection_id, "b_now": now}
        row = conn.execute(_FIND_OBJECTION, this).first()
        return None if row is None else self._build_objection(row)

    def lift_objection(
        self, conn: Connection, row: ObjectionRow, now: datetime, *, keeps: bool
    ) -> None:
        """End an objection that is taken back; RaceLost where it is gone."""
        if keeps:
            lifted = row.model_copy(update={"lifted_at": now})
            sealed = self._sealer.seal(_O.name, lifted, row.id, row.subject_id)
            # Nobody is to answer it any more.
            rows.write(conn, _KEEP, {"b_id": row.id, "b_sealed": sealed, "b_now": now})
        else:
            rows.write(conn, _LIFT, {"b_id": row.id})
        note_ended("lifted", row.id)

    def answer_objection(
        self,
        conn: Connection,
        row: ObjectionRow,
        state: ObjectionState,
        reply: Reply,
        now: datetime,
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already, or taken back."""
        answered = row.model_copy(update={"reply": reply})
        values = {
            "b_id": row.id,
            "b_state": state,
            "b_now": now,
            "b_sealed": self._sealer.seal(_O.name, answered, row.id, row.subject_id),
        }
        rows.write(conn, _ANSWER, values)

    def list_open_objections(
        self, conn: Connection, now: datetime, limit: int
    ) -> tuple[ObjectionRow, ...]:
        """Return what waits for an officer, the oldest first."""
        found = conn.execute(_LIST_WAITING, {"b_now": now, "b_limit": limit})
        return tuple(self._build_objection(row) for row in found)

    def count_overdue_objections(self, conn: Connection, now: datetime) -> int:
        """Return how many objections wait longer than a month."""
        waiting = conn.execute(_MADE_AT, {"b_now": now}).scalars()
        return sum(derive_answer_end(made_at) <= now for made_at in waiting)

    def list_objections(
        self, conn: Connection, subject_id: bytes, now: datetime, *, with_lifted: bool = False
    ) -> tuple[ObjectionRow, ...]:
        """Return a person's objections, the newest first; those that count, or all kept."""
        found = conn.execute(_LIST_OBJECTIONS, {"b_subject": subject_id, "b_now": now})
        built = (self._build_objection(row) for row in found)
        return tuple(row for row in built if with_lifted or row.lifted_at is None)

    def shield(self, conn: Connection, subject_id: bytes, shield: Shield | None) -> None:
        """Shield a person's address everywhere (geheim adres), by their own wish; None: no more.

        What a source shields stays.
        """
        if shield is None:
            conn.execute(_UNSHIELD, {"b_subject": subject_id})
            note_ended("shield", subject_id, words=_NO_SHIELD)
            return
        values = dict(shield)
        given = {f"b_{name}": value for name, value in values.items()}
        conn.execute(_SHIELD[conn.dialect.name], {"subject_id": subject_id, **values, **given})
        note_ended("shield", subject_id, words=shield.model_dump_json().encode())

    def find_shield(self, conn: Connection, subject_id: bytes, now: datetime) -> Shield | None:
        """Return how and until when a person shielded themselves, lifted or not, or None."""
        row = conn.execute(_FIND_SHIELD, {"b_subject": subject_id, "b_now": now}).first()
        if row is None:
            return None
        return Shield(
            own_at=row.own_at, open_at=row.open_at, until_at=row.until_at, lifted=row.lifted
        )

    def _build_consent(self, row: rows.AnyRow) -> ConsentRow:
        kept = self._sealer.unseal(_C.name, ConsentRow, row.sealed, row.id, row.subject_id)
        return kept.model_copy(update={"withdrawn_at": row.withdrawn_at})

    def _build_objection(self, row: rows.AnyRow) -> ObjectionRow:
        kept = self._sealer.unseal(_O.name, ObjectionRow, row.sealed, row.id, row.subject_id)
        return kept.model_copy(update={"state": row.state, "answered_at": row.answered_at})
