"""Opening, handing over and closing an occasion; conversations; special situations.

Rules: each member is a person of their own, with an entry of their own, and only who is permitted
is named; an act that changes the occasion names every member and is done for all or for none; what
an introduction from a confidential occasion opens inherits the chain. Source: AVG 13-14, 23.
"""

from __future__ import annotations

from dataclasses import replace

from broker.audit.payloads import Detail
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes
from broker.exchange.errors import MembersDifferError
from broker.exchange.question import Prepared, PreparedChunk, Weighed, write_nothing
from broker.exchange.register import add_redemption
from broker.involvement.occasions import Member, Occasion, derive_occasion_end
from broker.involvement.special_situations import SpecialSituationRow, build_refused_situation
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import OccasionStatement, SpecialSituation


class OpenOccasion:
    """`open_occasion`: what later questions rest on, with its household."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the occasion with those members that are permitted."""
        stated = desk.statement.opens
        permitted = [weighed for weighed in desk.people if weighed.decision.permit]
        if stated is None or not permitted:
            return _refuse_all(desk, stated.special_situation if stated else None)
        occasion = _build_occasion(desk, stated, permitted)
        members = [_build_member(desk, occasion, weighed) for weighed in permitted]
        reference = desk.registers.references.draw()
        writes: list[Write] = [
            lambda conn: desk.registers.occasions.open_occasion(conn, occasion, members),
            lambda conn: desk.registers.references.add_reference(
                conn,
                desk.partner,
                "occasion",
                occasion.id,
                reference,
                until_at=occasion.until_at,
                now=desk.now,
            ),
        ]
        for weighed in permitted:
            add_redemption(desk, weighed, writes)
        items = [
            _build_named(weighed, stated, reference, occasion)
            if weighed.decision.permit
            else build_refused(weighed, occasion.special_situation)
            for weighed in desk.people
        ]
        return PreparedChunk(items, chain_writes(writes))


def _refuse_all(desk: Desk, stated: SpecialSituation | None) -> PreparedChunk:
    """Return the refusals; where they stated to tell later, they wait until a person opens them."""
    if stated is None or _waits_for_person(desk.shared.occasion):
        return PreparedChunk([build_refused(one) for one in desk.people], write_nothing)
    waits = build_refused_situation(stated, desk.now)
    return PreparedChunk(
        [build_refused(one, waits) for one in desk.people],
        lambda conn: desk.registers.special_situations.declare(conn, waits),
    )


def _waits_for_person(occasion: Occasion | None) -> bool:
    held = occasion.special_situation if occasion else None
    return held is not None and held.opened_at is None and held.stated.opening == "by_person"


def _build_occasion(desk: Desk, stated: OccasionStatement, permitted: list[Weighed]) -> Occasion:
    occasion_id = draw_id()
    introductions = [one.gathered.introduction for one in permitted if one.gathered.introduction]
    # As decided: by what is stated, what is inherited, or whose occasion it is.
    confidential = any(one.decision.audience == "own" for one in permitted)
    special = stated.special_situation
    return Occasion(
        id=occasion_id,
        holder=desk.partner,
        kind=stated.kind,
        team=stated.team,
        opened_at=desk.now,
        until_at=derive_occasion_end(desk.now, None),
        confidential=confidential,
        handlers=stated.handlers,
        inform_by=stated.inform_by,
        introduced_by=introductions[0].introduced_by if introductions else None,
        special_situation=(
            SpecialSituationRow(occasion_id, special, desk.now) if special else None
        ),
    )


def _build_member(desk: Desk, occasion: Occasion, weighed: Weighed) -> Member:
    part = weighed.gathered.part
    assert part.source is not None  # noqa: S101 - admission saw to it
    return Member(
        occasion_id=occasion.id,
        subject_id=weighed.subject_id,
        role=part.role or "person",
        source=part.source,
        named_at=desk.now,
        told_at=part.told_at,
        may_look_up=part.may_look_up is not False,
        identity=part.identity,
        age_band=part.age_band,
        conversation=part.conversation,
    )


def _build_named(
    weighed: Weighed, stated: OccasionStatement, reference: bytes, occasion: Occasion
) -> Prepared:
    part = weighed.gathered.part
    special = stated.special_situation
    return Prepared(
        weighed=weighed,
        part=build_act(weighed, "opened", occasion=reference),
        detail=_describe_special(special).model_copy(
            update={
                "kind": stated.kind,
                "member_role": part.role,
                "told_at": part.told_at,
                "reaction": part.conversation.reaction if part.conversation else None,
                "handler_roles": tuple(handler.role for handler in stated.handlers),
            }
        ),
        opened=occasion.id,
        declared=occasion.special_situation,
    )


def _describe_special(special: SpecialSituation | None) -> Detail:
    if special is None:
        return Detail()
    return Detail(
        ground=special.ground,
        until_at=special.until_at,
        opening=special.opening,
        decider_role=special.decider.role,
    )


class ChangeOccasion:
    """`hand_over`, `close_occasion`, `declare_special_situation`: for all members or for none."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the change; raise MembersDifferError unless all are named."""
        occasion = desk.shared.occasion
        if occasion is not None:
            named = {weighed.subject_id for weighed in desk.people}
            if named != set(desk.shared.occasion_members):
                raise MembersDifferError
        if occasion is None or not all(weighed.decision.permit for weighed in desk.people):
            return _refuse_all(desk, desk.statement.special_situation)
        declared = _build_declared(desk, occasion)
        state, detail, write = self._build_change(desk, occasion, declared)
        items = [
            Prepared(
                weighed=weighed,
                part=build_act(weighed, state),
                detail=detail,
                declared=declared,
            )
            for weighed in desk.people
        ]
        return PreparedChunk(items, write)

    def _build_change(
        self, desk: Desk, occasion: Occasion, declared: SpecialSituationRow | None
    ) -> tuple[str, Detail, Write]:
        occasions, statement, now = desk.registers.occasions, desk.statement, desk.now
        if statement.handlers is not None:
            handlers = statement.handlers
            roles = tuple(handler.role for handler in handlers)
            return (
                "handed_over",
                Detail(handler_roles=roles),
                lambda conn: occasions.hand_over(conn, occasion.id, handlers, now),
            )
        if statement.closes is not None:
            closes = statement.closes
            return (
                "closed",
                Detail(
                    reason=closes.reason,
                    goals_reached=closes.goals_reached,
                    plan_made=closes.plan_made,
                ),
                lambda conn: occasions.close_occasion(conn, occasion.id, closes, now),
            )
        assert declared is not None  # noqa: S101 - admission saw to it
        situations, held = desk.registers.special_situations, occasion.special_situation
        # Policy weighed one that waits as a renewal: only that very one may be renewed by it.
        renews = held is not None and held.opened_at is None
        write = situations.renew if renews else situations.declare
        return "declared", _describe_special(declared.stated), lambda conn: write(conn, declared)


def _build_declared(desk: Desk, occasion: Occasion) -> SpecialSituationRow | None:
    """Return what a statement declares: a new one, or the one that waits, stated anew."""
    stated, held = desk.statement.special_situation, occasion.special_situation
    if stated is None:
        return None
    if held is not None and held.opened_at is None:
        return replace(held, stated=stated)
    return SpecialSituationRow(occasion.id, stated, desk.now)


class RecordConversation:
    """`record_conversation`: what a member was told, when, and how they reacted."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the conversations to record."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        occasion, stated = desk.shared.occasion, weighed.gathered.part.conversation
        named = weighed.gathered.facts.member is not None
        if not weighed.decision.permit or occasion is None or stated is None or not named:
            return build_refused(weighed)
        occasion_id, subject_id = occasion.id, weighed.subject_id
        writes.append(
            lambda conn: desk.registers.occasions.add_conversation(
                conn, occasion_id, subject_id, stated
            )
        )
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, "recorded"),
            detail=Detail(told_at=stated.at, reaction=stated.reaction),
        )
