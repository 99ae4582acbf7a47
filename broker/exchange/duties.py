"""Which duties follow from an act, written in the transaction of its entry (step 4 and 5).

Rules, one per kind of duty:
1. A permitted question in a crisis is reviewed afterwards: the decision obliges to it.
2. Parents who disagree: somebody settles what becomes of the consents.
3. Data that stood with the wrong person: somebody judges whether that was a breach (AVG 33).
4. Whoever asked something at a counter is answered on paper.
5. Who is named in an occasion and was not told is told in time; not a child below twelve by itself.
A duty waits with its entry; the duty to tell waits with whatever keeps its occasion from being
told. Source: AVG 12-14, 33; domain.md ("What law and practice ask of the model", 2, 5-7, 11, 14).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from broker.consent.duties import Duty, DutyKind, derive_due
from broker.exchange.acts import Desk, Write, chain_writes
from broker.exchange.question import Prepared, PreparedChunk
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Wish

_REVIEWED: Final = "review_afterwards"
_TOO_YOUNG: Final = "0-11"


def with_duties(desk: Desk, chunk: PreparedChunk) -> PreparedChunk:
    """Return the chunk with the duties that follow from it among its writes."""
    writes: list[Write] = [chunk.write]
    for prepared in chunk.items:
        if prepared.weighed.decision.permit and prepared.logs:
            writes += [_build_add(desk, one) for one in list_duties(desk, prepared)]
            writes += _list_ends(desk, prepared)
    if len(writes) == 1:
        return chunk
    return replace(chunk, write=chain_writes(writes))


def list_duties(desk: Desk, prepared: Prepared) -> list[Duty]:
    """Return the duties that follow from what one person's part of an act became."""
    weighed, act = prepared.weighed, desk.question.object.type
    part, found = weighed.gathered.part, []
    if any(one.code == _REVIEWED for one in weighed.decision.obligations):
        found.append(_build(desk, prepared, "urgent"))
    if act == "record_authority" and part.authority and part.authority.kind == "disagreement":
        found.append(_build(desk, prepared, "dispute"))
    if act == "report_wrong_person" and weighed.gathered.number == 0:
        found.append(_build(desk, prepared, "wrong_person"))
    if part.desk is not None and part.wish is not None and _asks_for_answer(part.wish):
        found.append(_build(desk, prepared, "desk"))
    if act == "open_occasion" and _is_not_told(prepared):
        found.append(_build(desk, prepared, "tell"))
    return found


def _asks_for_answer(wish: Wish) -> bool:
    return any(one is not None for one in (wish.asks, wish.objection, wish.erases))


def _is_not_told(prepared: Prepared) -> bool:
    part = prepared.weighed.gathered.part
    told = part.conversation is not None and part.conversation.reaction != "not_told"
    return part.told_at is None and not told and part.age_band != _TOO_YOUNG


def _build(desk: Desk, prepared: Prepared, kind: DutyKind) -> Duty:
    stated = desk.statement.opens if desk.question.statement else None
    waiting = prepared.situation if prepared.notice == "later" else None
    occasion_id = prepared.occasion_id
    waits_on = waiting.occasion_id if waiting is not None else None
    return Duty(
        id=draw_id(),
        kind=kind,
        subject_id=prepared.weighed.subject_id,
        partner=desk.partner,
        since_at=desk.now,
        due_at=derive_due(kind, desk.now, stated.inform_by if stated else None),
        until_at=desk.now + timedelta(days=prepared.weighed.decision.retention_days),
        rid=desk.question.object.rid,
        act=desk.question.object.type,
        purpose=prepared.weighed.evaluation.purpose,
        occasion_id=occasion_id,
        # One that is declared later keeps it from being told too.
        waits_on=occasion_id if kind == "tell" and waits_on is None else waits_on,
    )


def _build_add(desk: Desk, duty: Duty) -> Write:
    return lambda conn: desk.registers.duties.add(conn, duty)


def _list_ends(desk: Desk, prepared: Prepared) -> list[Write]:
    """Return the end of the duty to tell: who was told, and who was never meant."""
    weighed, act, now = prepared.weighed, desk.question.object.type, desk.now
    subject_id, duties = weighed.subject_id, desk.registers.duties
    conversation = weighed.gathered.part.conversation
    if act == "record_conversation" and conversation is not None and desk.shared.occasion:
        if conversation.reaction == "not_told":
            return []
        told_of = [desk.shared.occasion.id]
    elif act == "report_wrong_person" and weighed.gathered.number == 0:
        held = desk.registers.occasions.list_open_with(desk.conn, desk.partner, subject_id, now)
        told_of = [one.id for one in held]
    else:
        return []

    def write(conn: Connection) -> None:
        duties.end_telling(conn, subject_id, told_of, now)

    return [write]
