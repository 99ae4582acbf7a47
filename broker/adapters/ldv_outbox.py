"""What the log of processing activities is still to be told (port: `exchange.processing`).

Rules: rows are written in the transaction of what they tell of, sealed; a row goes when its record
was acknowledged, and at the latest at its end. The data subject is told by a pseudonym of this log
alone (HMAC under a key of its own); of what is told later by one that nobody can find again.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from broker.adapters.other_tables import ProcessingRow
from broker.adapters.rows import RowSealer
from broker.adapters.tables import table_of
from broker.exchange.processing import (
    NoProcessingLog,
    Processing,
    ProcessingLog,
    Status,
    Write,
)
from broker.pseudonyms.errors import RowMismatch
from broker.pseudonyms.row_keys import PROCESSING, RowKeys
from datwat.protocol.values import Value

KEPT_FOR = timedelta(days=30)
_PUT_OFF = timedelta(days=1)
_T = table_of(ProcessingRow)
_INSERT = insert(_T)
_DUE = (
    select(_T.c.id, _T.c.sealed)
    .where(_T.c.next_at <= bindparam("b_now"), _T.c.until_at > bindparam("b_now"))
    .order_by(_T.c.next_at, _T.c.id)
    .limit(bindparam("b_limit"))
)
_REMOVE = delete(_T).where(_T.c.id.in_(bindparam("b_ids", expanding=True)))
_PUT = (
    update(_T)
    .where(_T.c.id.in_(bindparam("b_ids", expanding=True)))
    .values(next_at=bindparam("b_next"))
)
_STATE = select(func.count(), func.min(_T.c.written_at)).where(_T.c.until_at > bindparam("b_now"))


class SpanRecord(Value):
    """One record of LDV; times in milliseconds since 1970, `subject` a pseudonym in hexadecimal."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    purpose: str | None
    caller: str
    began_ms: int = Field(ge=0)
    ended_ms: int = Field(ge=0)
    status: Status
    subject: str | None = Field(repr=False)


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be told now; `unreadable` are rows that do not open."""

    rows: Sequence[tuple[bytes, SpanRecord]]
    unreadable: Sequence[bytes]


class SqlProcessingLog:
    """Implements `broker.exchange.processing.ProcessingLog`."""

    is_on = True

    def __init__(self, row_key: RowKeys | bytes, clock: Callable[[], datetime]) -> None:
        """Take the row key; pseudonyms lie in another log, so that their key outlives it."""
        self._sealer = RowSealer(row_key)
        self._pseudonym_key = RowKeys.of(row_key).derive_kept(PROCESSING)
        self._clock = clock

    def prepare(self, records: Sequence[Processing]) -> Write:
        """Seal records here, and return what keeps them in a transaction: one statement."""
        now, rows = self._clock(), []
        for record in records:
            row_id = os.urandom(16)
            rows.append(
                {
                    "id": row_id,
                    "written_at": now,
                    "next_at": now,
                    "until_at": now + KEPT_FOR,
                    "sealed": self._sealer.seal(_T.name, self._build(record), row_id),
                }
            )

        def write(conn: Connection) -> None:
            if rows:
                conn.execute(_INSERT, rows)

        return write

    def fetch_due(self, conn: Connection, now: datetime, limit: int) -> Due:
        """Return at most `limit` rows, those that wait longest first."""
        rows: list[tuple[bytes, SpanRecord]] = []
        unreadable: list[bytes] = []
        for row in conn.execute(_DUE, {"b_now": now, "b_limit": limit}):
            row_id = bytes(row.id)
            try:
                rows.append((row_id, self._sealer.unseal(_T.name, SpanRecord, row.sealed, row_id)))
            except RowMismatch:
                unreadable.append(row_id)
        return Due(rows, unreadable)

    def remove(self, conn: Connection, ids: Sequence[bytes]) -> None:
        """Forget what was acknowledged."""
        conn.execute(_REMOVE, {"b_ids": list(ids)})

    def put_off(self, conn: Connection, ids: Sequence[bytes], now: datetime) -> None:
        """Let rows that do not open wait for a day: a restored key may open them."""
        conn.execute(_PUT, {"b_ids": list(ids), "b_next": now + _PUT_OFF})

    def read_state(self, conn: Connection, now: datetime) -> tuple[int, datetime | None]:
        """Return how many wait, and since when the oldest one does."""
        row = conn.execute(_STATE, {"b_now": now}).first()
        return (int(row[0]), row[1]) if row else (0, None)

    def _build(self, record: Processing) -> SpanRecord:
        return SpanRecord(
            trace_id=record.trace_id,
            span_id=record.span_id,
            parent_span_id=record.parent_span_id,
            name=record.name,
            purpose=record.purpose,
            caller=record.caller,
            began_ms=record.began_ms,
            ended_ms=record.ended_ms,
            status=record.status,
            subject=self._derive_subject(record),
        )

    def _derive_subject(self, record: Processing) -> str | None:
        if record.subject_id is None:
            return None
        told = os.urandom(16) if record.is_delayed else record.subject_id
        return hmac.digest(self._pseudonym_key, told, "sha256").hex()


def build_processing_log(
    target: str, row_key: RowKeys | bytes, clock: Callable[[], datetime]
) -> ProcessingLog:
    """Return what keeps records of processing activities; nothing where no target is set."""
    return SqlProcessingLog(row_key, clock) if target else NoProcessingLog()
