"""Registering and ending an involvement.

Rules: the same involvement twice is one, reconfirmed; a mere reconfirmation writes no entry; the
expiry is fixed by kind (policy), never by the source; a source ends only what is its own; whoever
was shown what ends is told. Source: AVG 5(1)(d)-(e), 19; protocol.md section 10.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.exchange.acts import (
    Desk,
    Write,
    build_act,
    build_refused,
    chain_writes,
    keep_reference,
)
from broker.exchange.notices import end_involvement
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.involvement.involvements import (
    EndReason,
    Involvement,
    Mark,
    is_current,
    is_mere_reconfirmation,
)
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import ByIntroduction, Registration


class Register:
    """`register`: a source says that it is involved."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the pointers to add or reconfirm."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        stated = weighed.gathered.part.registers
        days = weighed.decision.expires_days
        if not weighed.decision.permit or stated is None or days is None:
            return build_refused(weighed)
        expires_at = desk.now + timedelta(days=days)
        held = weighed.gathered.facts.held
        confidential = weighed.decision.audience == "own"
        involvement_id = self._write(desk, weighed, stated, held, expires_at, writes=writes)
        reference = keep_reference(desk, writes, "involvement", involvement_id, expires_at)
        add_redemption(desk, weighed, writes)
        state = "reconfirmed" if held else "registered"
        mere = held is not None and is_mere_reconfirmation(held, stated, confidential=confidential)
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, state, involvement=reference, expires_at=expires_at),
            detail=Detail(
                kind=stated.kind,
                since_at=stated.since_at,
                expires_at=expires_at,
                shielded=stated.shielded,
                told_at=weighed.gathered.part.told_at,
                reason=state,
            ),
            logs=not mere or weighed.gathered.introduction is not None,
        )

    def _write(
        self,
        desk: Desk,
        weighed: Weighed,
        stated: Registration,
        held: Involvement | None,
        expires_at: datetime,
        *,
        writes: list[Write],
    ) -> bytes:
        """Have the pointer added or reconfirmed, and return its id."""
        involvements = desk.registers.involvements
        if held is None:
            added = _build_involvement(desk, weighed, stated, expires_at)
            writes.append(lambda conn: involvements.add(conn, added))
            return added.id
        writes.append(
            lambda conn: involvements.reconfirm(
                conn,
                held.id,
                stated.contact,
                expires_at,
                desk.now,
                shielded=stated.shielded,
                confidential=weighed.decision.audience == "own",
            )
        )
        return held.id


def _build_involvement(
    desk: Desk, weighed: Weighed, stated: Registration, expires_at: datetime
) -> Involvement:
    return Involvement(
        id=draw_id(),
        subject_id=weighed.subject_id,
        source=desk.partner,
        function=weighed.evaluation.requester.function,
        kind=stated.kind,
        domain=desk.question.partner.domain,
        contact=stated.contact,
        since_at=stated.since_at,
        registered_at=desk.now,
        reconfirmed_at=desk.now,
        expires_at=expires_at,
        # A resident's own shield is found when the pointer is read: they may take it back.
        shielded=stated.shielded,
        confidential=weighed.decision.audience == "own",
        shielded_by_source=stated.shielded,
    )


def add_redemption(desk: Desk, weighed: Weighed, writes: list[Write]) -> None:
    """Use up the introduction code, if the person came by one."""
    person = weighed.gathered.part.person
    if not isinstance(person, ByIntroduction):
        return
    code = person.code
    references, rid = desk.registers.references, desk.question.object.rid
    writes.append(
        lambda conn: references.redeem_introduction(conn, desk.partner, code, rid, desk.now)
    )


class End:
    """`end`: a source says that its involvement is over, and how."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the pointers to end."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        reason = weighed.gathered.part.ends
        own = _find_own(desk, weighed)
        if not weighed.decision.permit or reason is None or not own:
            return build_refused(weighed)
        writes.extend(_build_end(desk, held, reason) for held in own)
        if reason in ("died", "moved"):
            writes.append(_build_mark(desk, weighed.subject_id, reason))
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, "ended"),
            detail=Detail(
                kind=own[0].kind,
                kinds=tuple(one.kind for one in own) if len(own) > 1 else None,
                reason=reason,
            ),
            keeps_own=any(held.confidential for held in own),
        )


def _build_mark(desk: Desk, subject_id: bytes, mark: Mark) -> Write:
    def write(conn: Connection) -> None:
        desk.registers.involvements.mark_others(conn, subject_id, desk.partner, mark)

    return write


def _build_end(desk: Desk, held: Involvement, reason: EndReason) -> Write:
    def write(conn: Connection) -> None:
        end_involvement(desk.registers, conn, held, reason, desk.now, by=desk.partner)

    return write


def _find_own(desk: Desk, weighed: Weighed) -> list[Involvement]:
    """Return the sender's current involvements with the person: the one cited, or all."""
    registers, cited = desk.registers, weighed.gathered.part.involvement
    if cited is None:
        return registers.involvements.list_current_of(
            desk.conn, weighed.subject_id, desk.partner, desk.now
        )
    target = registers.references.find_target(
        desk.conn, desk.partner, "involvement", cited, desk.now
    )
    held = registers.involvements.find(desk.conn, target.target, desk.now) if target else None
    own = (
        held is not None
        and held.source == desk.partner
        and held.subject_id == weighed.subject_id
        and is_current(held, desk.now)
    )
    return [held] if held is not None and own else []
