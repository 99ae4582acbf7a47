"""Where duties lie (port: `broker.consent.duties.Duties`).

Rule: what waits on a special situation that is not opened is not read by any statement here, so
that no list, number or count of it gives away that there is one (promise 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection, bindparam, exists, insert, select, update

from broker.adapters import rows
from broker.adapters.answer_tables import DutyRecord
from broker.adapters.special_situation_store import SITUATIONS
from broker.adapters.tables import table_of
from broker.consent.duties import (
    KEPT_SETTLED,
    Duty,
    DutyKind,
    Settled,
)
from datwat.protocol.values import Bytes16, PlainText, ShortText, Slug, Value

_T = table_of(DutyRecord)
_WAITS = exists().where(SITUATIONS.c.occasion_id == _T.c.waits_on, SITUATIONS.c.opened_at.is_(None))
_SHOWN = (_T.c.until_at > bindparam("b_now"), ~_WAITS)
_OPEN = (_T.c.ended_at.is_(None), *_SHOWN)
_OF_KIND = _T.c.kind == bindparam("b_kind")
_FIND = select(_T).where(_OF_KIND, _T.c.number == bindparam("b_number"), *_SHOWN)
_LIST = (
    select(_T)
    .where(_OF_KIND, *_OPEN)
    .order_by(_T.c.due_at, _T.c.number)
    .limit(bindparam("b_limit"))
)
_LIST_OF = _LIST.where(_T.c.partner == bindparam("b_partner"))
_INSERT = insert(_T)
_SETTLE = (
    update(_T)
    .where(_T.c.id == bindparam("b_id"), _T.c.ended_at.is_(None))
    .values(
        ended_at=bindparam("b_ended"), until_at=bindparam("b_until"), sealed=bindparam("b_sealed")
    )
)
_END_TELLING = (
    update(_T)
    .where(
        _T.c.subject_id == bindparam("b_subject"),
        _T.c.kind == "tell",
        _T.c.occasion_id == bindparam("b_occasion"),
        _T.c.ended_at.is_(None),
    )
    .values(ended_at=bindparam("b_ended"), until_at=bindparam("b_until"))
)


class _Words(Value):
    rid: Bytes16
    act: Slug
    purpose: Slug | None
    outcome: Slug | None = None
    text: PlainText = Field(default="", repr=False)
    role: ShortText | None = None


class SqlDuties:
    """Duties in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add(self, conn: Connection, duty: Duty) -> None:
        """Add a duty."""
        values = {
            "id": duty.id,
            "number": duty.number,
            "kind": duty.kind,
            "subject_id": duty.subject_id,
            "partner": duty.partner,
            "occasion_id": duty.occasion_id,
            "waits_on": duty.waits_on,
            "since_at": duty.since_at,
            "due_at": duty.due_at,
            "ended_at": None,
            "until_at": duty.until_at,
            "sealed": self._seal(duty),
        }
        conn.execute(_INSERT, values)

    def find(self, conn: Connection, kind: DutyKind, number: str, now: datetime) -> Duty | None:
        """Return a duty by its number, met or not; None where it waits on a special situation."""
        this = {"b_kind": kind, "b_number": number, "b_now": now}
        row = conn.execute(_FIND, this).first()
        return None if row is None else self._build(row)

    def list_open(
        self, conn: Connection, kind: DutyKind, now: datetime, limit: int, partner: str | None
    ) -> tuple[Duty, ...]:
        """Return what is not met, the earliest due first; of one partner, or of all."""
        given = {"b_kind": kind, "b_now": now, "b_limit": limit}
        if partner is None:
            found = conn.execute(_LIST, given)
        else:
            found = conn.execute(_LIST_OF, {**given, "b_partner": partner})
        return tuple(self._build(row) for row in found)

    def settle(self, conn: Connection, duty: Duty, settled: Settled, now: datetime) -> None:
        """Write how a duty was met; RaceLost where it was met already."""
        values = {
            "b_id": duty.id,
            "b_ended": now,
            "b_until": min(duty.until_at, now + KEPT_SETTLED),
            "b_sealed": self._seal(duty, settled),
        }
        rows.write(conn, _SETTLE, values)

    def end_telling(
        self, conn: Connection, subject_id: bytes, occasions: Sequence[bytes], now: datetime
    ) -> None:
        """End the duty to tell a person of these occasions; nothing happens where there is none."""
        for occasion_id in occasions:
            this = {"b_subject": subject_id, "b_occasion": occasion_id}
            # Nothing of it is asked after: the entry that ends it tells of it.
            conn.execute(_END_TELLING, {**this, "b_ended": now, "b_until": now})

    def _build(self, row: rows.AnyRow) -> Duty:
        words = self._sealer.unseal(_T.name, _Words, row.sealed, row.id, row.subject_id)
        settled = None
        if words.outcome is not None:
            settled = Settled(words.outcome, words.text, words.role)
        return Duty(
            id=row.id,
            kind=row.kind,
            subject_id=row.subject_id,
            partner=row.partner,
            since_at=row.since_at,
            due_at=row.due_at,
            until_at=row.until_at,
            rid=words.rid,
            act=words.act,
            purpose=words.purpose,
            occasion_id=row.occasion_id,
            waits_on=row.waits_on,
            ended_at=row.ended_at,
            settled=settled,
        )

    def _seal(self, duty: Duty, settled: Settled | None = None) -> bytes:
        words = _Words(rid=duty.rid, act=duty.act, purpose=duty.purpose)
        if settled is not None:
            told = {"outcome": settled.outcome, "text": settled.text, "role": settled.role}
            words = words.model_copy(update=told)
        return self._sealer.seal(_T.name, words, duty.id, duty.subject_id)
