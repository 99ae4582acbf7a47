"""The portal's acts: opening and ending a session, and what a resident wishes.

Rules: a handle lasts for one session; who represents somebody has a view of their own, and absent,
refused and unknown look the same (a handle that shows an empty log); a wish is the person's own
act. Source: AVG 7(3), 12, 15, 21; domain.md, "Authority"; "Portal" in the cryptographic design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.audit.records import SubjectKeys
from broker.consent.models import ConsentRow
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.exchange.records import add_consent, add_objection
from broker.pseudonyms.reference_rows import Kind
from broker.pseudonyms.references import derive_session_end


class FindConsentId(Protocol):
    """Finds the consent that an entry of somebody's log tells of."""

    def __call__(
        self, conn: Connection, subject_id: bytes, number: int, *, with_own: bool
    ) -> bytes | None:
        """Return its id; `with_own` where the person's own chain may be looked in."""


class OpenSession:
    """`open_session`: the first person is the resident, a second one is represented."""

    def __init__(self, mint_subject: Callable[[datetime], SubjectKeys]) -> None:
        self._mint_subject = mint_subject

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return a handle for each person; nothing is logged of a resident's own look."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        represented, permit = weighed.gathered.facts.represented, weighed.decision.permit
        if not permit and not represented:
            refused = build_refused(weighed)
            part = build_act(weighed, "refused", handle=None)
            return Prepared(weighed=refused.weighed, part=part, logs=False)
        # A refused representation opens a person who does not exist: nobody can tell it from one
        # of whom nothing is known. Written for everybody alike, so that it costs the same.
        nobody = self._mint_subject(desk.now)
        target = weighed.subject_id if permit else nobody.subject_id
        kind: Kind = "represented" if represented else "session"
        handle = desk.registers.references.draw()
        end = derive_session_end(desk.now, desk.now)
        writes.append(
            lambda conn: desk.registers.references.add_reference(
                conn, desk.partner, kind, target, handle, until_at=end, now=desk.now
            )
        )
        part = build_act(weighed, "opened", handle=handle, expires_at=end)
        if represented:
            told = part.weighing.model_copy(update={"permitted": True, "findings": ()})
            part = part.model_copy(update={"weighing": told})
        return Prepared(weighed=weighed, part=part, logs=False, mints=nobody)


class MakeWish:
    """`wish`: a consent, its withdrawal, or an objection, made by the resident at the portal."""

    def __init__(self, find_consent_id: FindConsentId) -> None:
        self._find_consent_id = find_consent_id

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answer, and the rows that the wish changes."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        wish = weighed.gathered.part.wish
        if not weighed.decision.permit or wish is None:
            return build_refused(weighed)
        details: list[Detail] = []
        if wish.consent is not None:
            details.append(add_consent(desk, weighed, wish.consent, writes))
        if wish.withdraws is not None:
            row = self._find_consent(desk, weighed, wish.withdraws)
            if row is None:
                return build_refused(weighed)
            consents, row_id = desk.registers.consents, row.id
            writes.append(
                lambda conn: consents.withdraw(conn, weighed.subject_id, row_id, desk.now)
            )
            details.append(Detail(withdraws=wish.withdraws))
        if wish.objection is not None:
            details.append(add_objection(desk, weighed, wish.objection, writes))
        part = build_act(weighed, "recorded")
        return Prepared(
            weighed=weighed,
            part=part,
            detail=_merge(details),
            # A person's own act is theirs: it may be about what nobody else may see (case 4).
            keeps_own=not weighed.gathered.is_represented,
        )

    def _find_consent(self, desk: Desk, weighed: Weighed, number: int) -> ConsentRow | None:
        """Return this person's consent that the entry at index `number` tells of.

        A representative finds only what the log shows to a representative.
        """
        with_own = not weighed.gathered.is_represented
        found = self._find_consent_id(desk.conn, weighed.subject_id, number, with_own=with_own)
        if found is None:
            return None
        row = desk.registers.consents.find_consent(desk.conn, weighed.subject_id, found, desk.now)
        return row if row is not None and row.withdrawn_at is None else None


def _merge(details: Sequence[Detail]) -> Detail:
    merged: dict[str, object] = {}
    for detail in details:
        merged |= {name: getattr(detail, name) for name in detail.model_fields_set}
    return Detail.model_validate(merged)
