"""What partners are told of what became of an earlier exchange: made where it becomes true.

Rules: whoever has a reference to what ended, and did not end it, is told, by its own reference.
How it ended is the source's to know: others learn that it ended, or that it was an error (AVG 19),
never that the person died or moved. Of a special situation that opens, the parties to each entry
are told. Each notice is written in the transaction of what it tells. Source: protocol.md section 3.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from broker.audit.payloads import Record
from broker.audit.records import PreparedEntry
from broker.exchange.registers import Registers
from broker.involvement.involvements import EndReason, Involvement
from broker.involvement.notices import Notice, NoticeType, OpenedEntry, derive_notice_end
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.deliveries import EndedNotice

WRONG_PERSON = "wrong_person"
_ERROR = "entered_in_error"


def end_involvement(
    registers: Registers,
    conn: Connection,
    held: Involvement,
    reason: EndReason,
    now: datetime,
    *,
    by: str | None,
) -> None:
    """End a pointer and every reference to it, and leave a notice for all who had one but `by`."""
    registers.involvements.end(conn, held.id, reason, now)
    _tell_holders(registers, conn, held, "ended", reason, now, by=by)
    registers.references.end_target(conn, held.id)


def annul_involvement(
    registers: Registers, conn: Connection, held: Involvement, now: datetime
) -> None:
    """Destroy a pointer to the wrong person, and leave a notice for all but its own source."""
    registers.involvements.annul(conn, held.id)
    _tell_holders(registers, conn, held, "annulled", WRONG_PERSON, now, by=held.source)
    registers.references.end_target(conn, held.id)


def _tell_holders(  # noqa: PLR0917 - what a notice is made of
    registers: Registers,
    conn: Connection,
    held: Involvement,
    kind: NoticeType,
    reason: str,
    now: datetime,
    *,
    by: str | None,
) -> None:
    for partner, reference in registers.references.list_holders(conn, held.id, now):
        if partner == by:
            continue
        told = reason if partner == held.source or reason in (_ERROR, WRONG_PERSON) else "ended"
        content = EndedNotice(kind="involvement", reference=reference, reason=told, ended_at=now)
        notice = Notice(draw_id(), partner, kind, content, derive_notice_end(now))
        registers.notices.add(conn, notice, now)


def build_opened(
    record: Record, entry: PreparedEntry, core: bytes, own: str, now: datetime
) -> list[Notice]:
    """Return a notice that an entry was opened for each party to it; `own` is the broker."""
    asked = record.asked.source.id if record.asked and record.asked.source else None
    content = OpenedEntry(
        core=core,
        payload_hash=entry.payload_hash,
        commit=entry.commit,
        subject_id=entry.chain.subject_id,
        audience=entry.chain.audience,
    )
    parties = {record.requester.id, asked} - {None, own}
    return [
        Notice(draw_id(), party, "opened", content, derive_notice_end(now))
        for party in sorted(party for party in parties if party is not None)
    ]
