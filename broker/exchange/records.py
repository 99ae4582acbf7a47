"""Recording what a resident said or what is known of authority: consent, objection, authority.

Rule: each is one register row and one entry in the person's log, in one transaction; the consent is
kept in the form that the law of the purpose asks. Source: AVG 7, 21; Jeugdwet 7.3.11.
"""

from __future__ import annotations

from datetime import timedelta

from broker.audit.payloads import Detail
from broker.consent.models import ConsentRow, ObjectionRow
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.involvement.authority import AuthorityRow
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Authority, Consent, Objection


class RecordWhatWasSaid:
    """`record_consent`, `record_objection`, `record_authority`: written down by a partner."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the rows to add."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        if not weighed.decision.permit:
            return build_refused(weighed)
        part = weighed.gathered.part
        detail = Detail()
        if part.consent is not None:
            detail = add_consent(desk, weighed, part.consent, writes)
        if part.objection is not None:
            detail = add_objection(desk, weighed, part.objection, writes)
        if part.authority is not None:
            detail = _add_authority(desk, weighed, part.authority, writes)
        return Prepared(weighed=weighed, part=build_act(weighed, "recorded"), detail=detail)


def add_consent(desk: Desk, weighed: Weighed, stated: Consent, writes: list[Write]) -> Detail:
    """Add the row of a consent and return what the entry says of it."""
    row = ConsentRow.build(
        stated,
        row_id=draw_id(),
        subject_id=weighed.subject_id,
        recorded_by=desk.partner,
        recorded_at=desk.now,
    )
    writes.append(lambda conn: desk.registers.consents.add_consent(conn, row))
    return Detail(consent=stated, consent_id=row.id)


def add_objection(desk: Desk, weighed: Weighed, stated: Objection, writes: list[Write]) -> Detail:
    """Add the row of an objection, which ends with its entry, and return what the entry says."""
    row = ObjectionRow.build(
        stated,
        row_id=draw_id(),
        subject_id=weighed.subject_id,
        recorded_by=desk.partner,
        recorded_at=desk.now,
        until_at=desk.now + timedelta(days=weighed.decision.retention_days),
    )
    writes.append(lambda conn: desk.registers.consents.add_objection(conn, row))
    return Detail(
        objection_id=row.id, objects_to=stated.purpose, objection_reason=stated.reason or None
    )


def _add_authority(desk: Desk, weighed: Weighed, stated: Authority, writes: list[Write]) -> Detail:
    row = AuthorityRow.build(
        stated, row_id=draw_id(), subject_id=weighed.subject_id, recorded_by=desk.partner
    )
    writes.append(lambda conn: desk.registers.authorities.add(conn, row))
    return Detail(authority_kind=stated.kind, until_at=stated.until_at)
