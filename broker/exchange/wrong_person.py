"""Taking back what was put at the wrong person.

Rules: everything that this partner has of the wrong person goes, not only what the report cites:
its pointers, and the person's place in each of its open occasions; both persons' logs say so;
whoever was shown a pointer is told. What rests on a special situation or is for the person alone
is told where those entries are. Source: AVG 5(1)(d), 16-17, 19; domain.md, point 11.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes
from broker.exchange.notices import annul_involvement
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.involvement.involvements import Involvement
from broker.involvement.occasions import Occasion
from broker.involvement.special_situations import SpecialSituationRow


class ReportWrongPerson:
    """`report_wrong_person`: the first person is the wrong one; a second, if any, the right one."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and what is annulled of the wrong person."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        if not weighed.decision.permit:
            return build_refused(weighed)
        if weighed.gathered.number > 0:
            return Prepared(
                weighed=weighed,
                part=build_act(weighed, "noted"),
                detail=Detail(reason="noted"),
            )
        registers, subject_id = desk.registers, weighed.subject_id
        held = registers.involvements.list_current_of(desk.conn, subject_id, desk.partner, desk.now)
        occasions = registers.occasions.list_open_with(
            desk.conn, desk.partner, subject_id, desk.now
        )
        writes.append(_build_annulment(desk, weighed, held, occasions))
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, "annulled"),
            detail=Detail(reason="annulled"),
            keeps_own=any(one.confidential for one in held)
            or any(one.confidential for one in occasions),
            delayed_by=_find_delaying(occasions),
        )


def _find_delaying(occasions: Sequence[Occasion]) -> SpecialSituationRow | None:
    """Return the special situation that lasts longest, of those that are not opened."""
    waiting = [
        one.special_situation
        for one in occasions
        if one.special_situation is not None and one.special_situation.opened_at is None
    ]
    return max(waiting, key=lambda one: (one.stated.until_at, one.occasion_id), default=None)


def _build_annulment(
    desk: Desk, weighed: Weighed, held: Sequence[Involvement], occasions: Sequence[Occasion]
) -> Write:
    registers, subject_id, handle = desk.registers, weighed.subject_id, weighed.gathered.handle

    def write(conn: Connection) -> None:
        for one in held:
            annul_involvement(registers, conn, one, desk.now)
        for occasion in occasions:
            registers.occasions.remove_member(conn, occasion.id, subject_id)
        registers.references.end_reference(conn, desk.partner, handle)

    return write
