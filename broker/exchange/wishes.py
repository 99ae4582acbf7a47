"""What a resident wishes at the portal, and what it changes at once.

Rules: a wish is the person's own act and its entry is theirs alone; what it is about is found where
the log shows it to who is logged in, and refused like what never was where it does not. Everything
but a question and an erasure has its effect in the transaction of its entry, and ends with the
retention of that entry. Taking back: `taking_back.py`. Source: AVG 7(3), 12, 15, 17, 18, 21.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from broker.audit.payloads import Detail
from broker.consent.models import BlockRow, ErasureRow, QuestionRow, Shield
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes, name_party
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.exchange.records import add_consent, add_objection
from broker.exchange.taking_back import FindConsentId, FindTold, TakingBack, list_audiences
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import DeskVisit, Question, Wish
from datwat.protocol.values import PartyId

_LONGEST_ROLES = 200


class MakeWish:
    """`wish`: consent, objection, block, shield, question, erasure, or what takes one back."""

    def __init__(self, find_consent_id: FindConsentId, find_told: FindTold) -> None:
        self._find_told = find_told
        self._taking_back = TakingBack(find_consent_id, find_told)

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answer, and the rows that the wish changes."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        wish = weighed.gathered.part.wish
        if not weighed.decision.permit or wish is None:
            return build_refused(weighed)
        taken_back = self._taking_back.find(desk, weighed, wish)
        if taken_back is None or not self._can_read_all(desk, weighed, wish):
            return build_refused(weighed)
        # Nothing is refused from here on: what is written is all told.
        writes.extend(taken_back)
        details = [_state(wish), _tell_desk(weighed.gathered.part.desk)]
        if wish.consent is not None:
            details.append(add_consent(desk, weighed, wish.consent, writes))
        if wish.objection is not None:
            details.append(add_objection(desk, weighed, wish.objection, writes))
        if wish.blocks is not None:
            details.append(_add_block(desk, weighed, wish.blocks, writes))
        if wish.asks is not None:
            details.append(_add_question(desk, weighed, wish.asks, writes))
        if wish.erases is not None:
            _add_erasure(desk, weighed, wish.erases, writes)
        if wish.shields:
            details.append(_add_shield(desk, weighed, writes))
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, "recorded"),
            detail=_merge(details),
            # A person's own act is theirs: it may be about what nobody else may see (case 4).
            keeps_own=not weighed.gathered.is_represented,
        )

    def _can_read_all(self, desk: Desk, weighed: Weighed, wish: Wish) -> bool:
        """Tell whether who is logged in can read in this log what the wish is about."""
        about = wish.asks.about if wish.asks else None
        numbers = [number for number in (wish.erases, about) if number is not None]
        subject_id, audiences = weighed.subject_id, list_audiences(weighed)
        found = (self._find_told(desk.conn, subject_id, one, audiences) for one in numbers)
        return all(one is not None for one in found)


def _add_block(desk: Desk, weighed: Weighed, organisation: PartyId, writes: list[Write]) -> Detail:
    row = BlockRow(
        id=draw_id(),
        subject_id=weighed.subject_id,
        organisation=organisation,
        recorded_by=desk.partner,
        since_at=desk.now,
        until_at=_derive_end(desk, weighed),
    )
    writes.append(lambda conn: desk.registers.wishes.add_block(conn, row))
    return Detail(block_id=row.id, blocks=name_party(desk.directory, organisation))


def _add_question(desk: Desk, weighed: Weighed, asked: Question, writes: list[Write]) -> Detail:
    row = QuestionRow(
        **dict(asked),
        id=draw_id(),
        subject_id=weighed.subject_id,
        recorded_by=desk.partner,
        asked_at=desk.now,
        until_at=_derive_end(desk, weighed),
    )
    writes.append(lambda conn: desk.registers.wishes.add_question(conn, row))
    members = {
        "question_id": row.id,
        "question": asked.text,
        "question_to": name_party(desk.directory, asked.to) if asked.to else None,
        "question_about": asked.about,
    }
    return Detail.model_validate({name: it for name, it in members.items() if it is not None})


def _add_erasure(desk: Desk, weighed: Weighed, erases: int, writes: list[Write]) -> None:
    """Let officers see that it waits; what it is about stands in the entry of the wish."""
    row = ErasureRow(
        id=draw_id(),
        subject_id=weighed.subject_id,
        erases=erases,
        asked_at=desk.now,
        until_at=_derive_end(desk, weighed),
    )
    writes.append(lambda conn: desk.registers.wishes.add_erasure(conn, row))


def _add_shield(desk: Desk, weighed: Weighed, writes: list[Write]) -> Detail:
    """Shield with the eyes of who asks: a representative's wish ends nothing of the person's."""
    subject_id, consents = weighed.subject_id, desk.registers.consents
    held = consents.find_shield(desk.conn, subject_id, desk.now)
    is_represented = weighed.gathered.is_represented
    shield = Shield(
        own_at=(held.own_at if held else None) if is_represented else desk.now,
        open_at=desk.now if is_represented else (held.open_at if held else None),
        until_at=_derive_end(desk, weighed),
    )
    writes.append(lambda conn: consents.shield(conn, subject_id, shield))
    return Detail(shields=True)


def _derive_end(desk: Desk, weighed: Weighed) -> datetime:
    """Return when a wish ends by itself: with the retention of its entry."""
    return desk.now + timedelta(days=weighed.decision.retention_days)


def _state(wish: Wish) -> Detail:
    stated = {"withdraws": wish.withdraws, "erases": wish.erases, "lifts": wish.lifts}
    return Detail.model_validate({name: n for name, n in stated.items() if n is not None})


def _tell_desk(visit: DeskVisit | None) -> Detail:
    """Return who helped at a counter, by role, and why; nothing for a wish of who is logged in."""
    if visit is None:
        return Detail()
    return Detail(
        helped_by=f"{visit.role}, {visit.second_role}"[:_LONGEST_ROLES],
        helped_because=visit.reason,
        copy_given=visit.copy_given,
    )


def _merge(details: Sequence[Detail]) -> Detail:
    merged: dict[str, object] = {}
    for detail in details:
        merged |= {name: getattr(detail, name) for name in detail.model_fields_set}
    return Detail.model_validate(merged)
