"""Where consents, objections and shields lie (port: `broker.consent.register.ConsentRegister`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters import rows
from broker.adapters.tables import ConsentRecord, ObjectionRecord, ShieldRecord, table_of
from broker.audit.ended import note_ended
from broker.consent.models import ConsentRow, ObjectionRow, ObjectionState

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
_LIST_OBJECTIONS = (
    select(_O.c.id, _O.c.subject_id, _O.c.state, _O.c.answered_at, _O.c.sealed)
    .where(_O.c.subject_id == bindparam("b_subject"), _O.c.until_at > bindparam("b_now"))
    .order_by(_O.c.made_at.desc(), _O.c.id)
    .limit(200)
)
_INSERT_OBJECTION = insert(_O)
_ANSWER = (
    update(_O)
    .where(_O.c.id == bindparam("b_id"), _O.c.state == "open")
    .values(state=bindparam("b_state"), answered_at=bindparam("b_now"))
)

_S = table_of(ShieldRecord)
_FIND_SHIELD = select(_S.c.until_at).where(
    _S.c.subject_id == bindparam("b_subject"), _S.c.until_at > bindparam("b_now")
)
_UNSHIELD = delete(_S).where(_S.c.subject_id == bindparam("b_subject"))
_SHIELD = {
    name: dialect.insert(_S).on_conflict_do_update(
        index_elements=[_S.c.subject_id], set_={"until_at": bindparam("b_until")}
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
            "made_at": row.made_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_O.name, row, row.id, row.subject_id),
        }
        conn.execute(_INSERT_OBJECTION, values)
        # Its reason stays in the database: the ratchet holds what an objection must do.
        kept = row.model_copy(update={"reason": ""}).model_dump_json()
        note_ended("objection", row.id, words=kept.encode())

    def answer_objection(
        self, conn: Connection, objection_id: bytes, state: ObjectionState, now: datetime
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already."""
        rows.write(conn, _ANSWER, {"b_id": objection_id, "b_state": state, "b_now": now})

    def list_objections(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[ObjectionRow, ...]:
        """Return a person's objections, the newest first."""
        found = conn.execute(_LIST_OBJECTIONS, {"b_subject": subject_id, "b_now": now})
        return tuple(self._build_objection(row) for row in found)

    def shield(self, conn: Connection, subject_id: bytes, until_at: datetime) -> None:
        """Shield a person's address everywhere until then (geheim adres), by their own wish."""
        values = {"subject_id": subject_id, "until_at": until_at, "b_until": until_at}
        conn.execute(_SHIELD[conn.dialect.name], values)

    def unshield(self, conn: Connection, subject_id: bytes) -> None:
        """Take the person's own shield away; what a source shields stays."""
        conn.execute(_UNSHIELD, {"b_subject": subject_id})

    def find_shield(self, conn: Connection, subject_id: bytes, now: datetime) -> datetime | None:
        """Return until when a person shielded themselves, or None."""
        until_at: datetime | None = conn.execute(
            _FIND_SHIELD, {"b_subject": subject_id, "b_now": now}
        ).scalar()
        return until_at

    def _build_consent(self, row: rows.AnyRow) -> ConsentRow:
        kept = self._sealer.unseal(_C.name, ConsentRow, row.sealed, row.id, row.subject_id)
        return kept.model_copy(update={"withdrawn_at": row.withdrawn_at})

    def _build_objection(self, row: rows.AnyRow) -> ObjectionRow:
        kept = self._sealer.unseal(_O.name, ObjectionRow, row.sealed, row.id, row.subject_id)
        return kept.model_copy(update={"state": row.state, "answered_at": row.answered_at})
