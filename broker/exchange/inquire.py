"""Who is involved? The pointers that the decision lets be seen, and the answer's scope.

Rules: pointers are read after the weighing, by one statement, once per person, whatever was
decided; Python only looks up in the table; *nobody*, *unknown* and *not for you to know* are one
answer. What is shown gets a reference of this requester's own. Source: AVG 5(1)(c), 9; "The ladder
is the scale".
"""

from __future__ import annotations

from broker.audit.payloads import GivenPointer
from broker.exchange.acts import Desk, Write, chain_writes, keep_references, name_party
from broker.exchange.answers import build_inquiry_part, build_pointer, select_shown
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.involvement.involvements import Involvement
from broker.policy.decision import Decision
from broker.pseudonyms.reference_rows import Touch
from datwat.protocol.answers import Scope
from datwat.protocol.values import derive_function


class Inquire:
    """`inquire`: *dat*, as far as purpose, kind and person allow."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers, and the references to what is shown."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        decision = weighed.decision
        found = select_shown(decision, find_pointers(desk, weighed))
        # Where a kind allows contact only, an inquiry shows nothing: to say that somebody can be
        # reached is to say that somebody is there. A contact request is relayed, and tells nothing.
        shown = [(held, rung) for held, rung in found if rung != "contact"]
        things = [Touch(held.id, held.expires_at, rung) for held, rung in shown]
        references = keep_references(desk, writes, "involvement", things)
        pointers = tuple(
            build_pointer(held, rung, reference, desk.directory.partners.get(held.source))
            for (held, rung), reference in zip(shown, references, strict=True)
        )
        part = build_inquiry_part(
            decision, weighed.gathered.handle, pointers, _build_scope(desk, decision)
        )
        given = tuple(
            GivenPointer(source=name_party(desk.directory, held.source), kind=held.kind, rung=rung)
            for held, rung in shown
        )
        return Prepared(
            weighed=weighed,
            part=part,
            pointers=given,
            keeps_own=any(held.confidential for held, _ in shown),
        )


def find_pointers(desk: Desk, weighed: Weighed) -> list[Involvement]:
    """Return the current involvements that the purpose may see at all: one statement, always."""
    decision = weighed.decision
    return desk.registers.involvements.pointers_of(
        desk.conn,
        weighed.subject_id,
        frozenset(decision.scope.functions),
        frozenset(cap.kind for cap in decision.caps),
        desk.now,
    )


def _build_scope(desk: Desk, decision: Decision) -> Scope:
    functions = frozenset(decision.scope.functions)
    asked = sum(derive_function(party) in functions for party in desk.directory.partners)
    return Scope(
        domains=decision.scope.domains,
        partners_asked=asked,
        as_of=desk.now,
        cannot_see=decision.scope.cannot_see,
    )
