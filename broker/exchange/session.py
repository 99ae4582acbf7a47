"""The portal's sessions: a handle for who logs in, and for whom they represent.

Rules: a handle lasts for one session; who represents somebody has a view of their own, and absent,
refused and unknown look the same (a handle that shows an empty log). Source: AVG 12, 15; domain.md,
"Authority"; "Portal" in the cryptographic design.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from broker.audit.records import SubjectKeys
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.pseudonyms.reference_rows import Kind
from broker.pseudonyms.references import derive_session_end


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
