"""Where blocks, questions and wishes for erasure lie (port: `broker.consent.wishes.Wishes`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from broker.adapters import rows
from broker.adapters.tables import BlockRecord, ErasureRecord, QuestionRecord, table_of
from broker.audit.ended import note_ended
from broker.consent.models import BlockRow, ErasureRow, QuestionRow, Reply, derive_answer_end

_B = table_of(BlockRecord)
_BLOCK_OF = select(_B.c.id, _B.c.subject_id, _B.c.sealed).where(
    _B.c.subject_id == bindparam("b_subject"), _B.c.until_at > bindparam("b_now")
)
# Each of them counts: as many as a person can name, and more than they will.
_LIST_BLOCKS = _BLOCK_OF.order_by(_B.c.since_at.desc(), _B.c.id).limit(1_000)
_FIND_BLOCK = _BLOCK_OF.where(_B.c.id == bindparam("b_id"))
_INSERT_BLOCK = insert(_B)
_LIFT = delete(_B).where(_B.c.id == bindparam("b_id"))
_KEEP = update(_B).where(_B.c.id == bindparam("b_id")).values(sealed=bindparam("b_sealed"))

_Q = table_of(QuestionRecord)
_QUESTION = select(_Q.c.id, _Q.c.subject_id, _Q.c.answered_at, _Q.c.sealed)
_QUESTION_OF = _QUESTION.where(
    _Q.c.subject_id == bindparam("b_subject"), _Q.c.until_at > bindparam("b_now")
)
_LIST_QUESTIONS = _QUESTION_OF.order_by(_Q.c.asked_at.desc(), _Q.c.id).limit(200)
_FIND_QUESTION = _QUESTION_OF.where(_Q.c.id == bindparam("b_id"))
_WAITING = (_Q.c.answered_at.is_(None), _Q.c.until_at > bindparam("b_now"))
_LIST_WAITING = (
    _QUESTION.where(*_WAITING).order_by(_Q.c.asked_at, _Q.c.id).limit(bindparam("b_limit"))
)
_ASKED_AT = select(_Q.c.asked_at).where(*_WAITING)
_INSERT_QUESTION = insert(_Q)
_ANSWER = (
    update(_Q)
    .where(_Q.c.id == bindparam("b_id"), _Q.c.answered_at.is_(None))
    .values(answered_at=bindparam("b_now"), sealed=bindparam("b_sealed"))
)

_E = table_of(ErasureRecord)
_STANDING = _E.c.until_at > bindparam("b_now")
_LIST_ERASURES = (
    select(_E).where(_STANDING).order_by(_E.c.asked_at, _E.c.id).limit(bindparam("b_limit"))
)
_ERASURES_SINCE = select(_E.c.asked_at).where(_STANDING)
_INSERT_ERASURE = insert(_E)
_END_ERASURE = delete(_E).where(
    _E.c.subject_id == bindparam("b_subject"),
    _E.c.erases == bindparam("b_erases"),
    _E.c.asked_at == bindparam("b_asked_at"),
)


class SqlWishes:
    """Blocks, questions and wishes for erasure in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add_block(self, conn: Connection, row: BlockRow) -> None:
        """Add a block."""
        values = {
            "id": row.id,
            "subject_id": row.subject_id,
            "since_at": row.since_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_B.name, row, row.id, row.subject_id),
        }
        conn.execute(_INSERT_BLOCK, values)
        note_ended("block", row.id, words=row.model_dump_json().encode())

    def find_block(
        self, conn: Connection, subject_id: bytes, block_id: bytes, now: datetime
    ) -> BlockRow | None:
        """Return this person's block of that id, lifted or not; None for anybody else's."""
        this = {"b_subject": subject_id, "b_id": block_id, "b_now": now}
        row = conn.execute(_FIND_BLOCK, this).first()
        return None if row is None else self._build_block(row)

    def lift_block(self, conn: Connection, row: BlockRow, now: datetime, *, keeps: bool) -> None:
        """End a block that is taken back; RaceLost where it is gone."""
        if keeps:
            lifted = row.model_copy(update={"lifted_at": now})
            sealed = self._sealer.seal(_B.name, lifted, row.id, row.subject_id)
            rows.write(conn, _KEEP, {"b_id": row.id, "b_sealed": sealed})
        else:
            rows.write(conn, _LIFT, {"b_id": row.id})
        note_ended("lifted", row.id)

    def list_blocks(
        self, conn: Connection, subject_id: bytes, now: datetime, *, with_lifted: bool = False
    ) -> tuple[BlockRow, ...]:
        """Return whom a person does not want to look, the newest first; or all that are kept."""
        found = conn.execute(_LIST_BLOCKS, {"b_subject": subject_id, "b_now": now})
        built = (self._build_block(row) for row in found)
        return tuple(row for row in built if with_lifted or row.lifted_at is None)

    def add_question(self, conn: Connection, row: QuestionRow) -> None:
        """Add a question."""
        values = {
            "id": row.id,
            "subject_id": row.subject_id,
            "asked_at": row.asked_at,
            "answered_at": None,
            "until_at": row.until_at,
            "sealed": self._seal_question(row),
        }
        conn.execute(_INSERT_QUESTION, values)

    def find_question(
        self, conn: Connection, subject_id: bytes, question_id: bytes, now: datetime
    ) -> QuestionRow | None:
        """Return this person's question of that id; None for anybody else's."""
        this = {"b_subject": subject_id, "b_id": question_id, "b_now": now}
        row = conn.execute(_FIND_QUESTION, this).first()
        return None if row is None else self._build_question(row)

    def answer_question(
        self, conn: Connection, row: QuestionRow, reply: Reply, now: datetime
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already."""
        answered = self._seal_question(row.model_copy(update={"reply": reply}))
        rows.write(conn, _ANSWER, {"b_id": row.id, "b_now": now, "b_sealed": answered})

    def list_questions(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[QuestionRow, ...]:
        """Return what a person asked, the newest first."""
        found = conn.execute(_LIST_QUESTIONS, {"b_subject": subject_id, "b_now": now})
        return tuple(self._build_question(row) for row in found)

    def list_open_questions(
        self, conn: Connection, now: datetime, limit: int
    ) -> tuple[QuestionRow, ...]:
        """Return what waits for an answer, the oldest first."""
        found = conn.execute(_LIST_WAITING, {"b_now": now, "b_limit": limit})
        return tuple(self._build_question(row) for row in found)

    def count_overdue_questions(self, conn: Connection, now: datetime) -> int:
        """Return how many questions wait longer than a month."""
        waiting = conn.execute(_ASKED_AT, {"b_now": now}).scalars()
        return sum(derive_answer_end(asked_at) <= now for asked_at in waiting)

    def add_erasure(self, conn: Connection, row: ErasureRow) -> None:
        """Add a wish for erasure."""
        conn.execute(_INSERT_ERASURE, dict(row))

    def end_erasure(
        self, conn: Connection, subject_id: bytes, erases: int, asked_at: datetime
    ) -> None:
        """End a wish that was answered; nothing happens where it is not there."""
        this = {"b_subject": subject_id, "b_erases": erases, "b_asked_at": asked_at}
        conn.execute(_END_ERASURE, this)

    def list_erasures(self, conn: Connection, now: datetime, limit: int) -> tuple[ErasureRow, ...]:
        """Return the wishes for erasure that wait for an answer, the oldest first."""
        found = conn.execute(_LIST_ERASURES, {"b_now": now, "b_limit": limit}).mappings()
        return tuple(ErasureRow.model_validate(dict(row)) for row in found)

    def count_overdue_erasures(self, conn: Connection, now: datetime) -> int:
        """Return how many wishes for erasure wait longer than a month."""
        waiting = conn.execute(_ERASURES_SINCE, {"b_now": now}).scalars()
        return sum(derive_answer_end(asked_at) <= now for asked_at in waiting)

    def _seal_question(self, row: QuestionRow) -> bytes:
        return self._sealer.seal(_Q.name, row, row.id, row.subject_id)

    def _build_block(self, row: rows.AnyRow) -> BlockRow:
        return self._sealer.unseal(_B.name, BlockRow, row.sealed, row.id, row.subject_id)

    def _build_question(self, row: rows.AnyRow) -> QuestionRow:
        kept = self._sealer.unseal(_Q.name, QuestionRow, row.sealed, row.id, row.subject_id)
        return kept.model_copy(update={"answered_at": row.answered_at})
