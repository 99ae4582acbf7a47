"""Introducing a person to one other partner by a code that works once.

Rule: the code is for the partner named in the message alone, for seven days, and policy decides
whether that partner takes part; what is opened with it
inherits the chain of the occasion that it came from. Source: protocol.md section 10.
"""

from __future__ import annotations

from broker.audit.payloads import Detail
from broker.exchange.acts import Desk, Write, build_act, build_refused, chain_writes, name_party
from broker.exchange.question import Prepared, PreparedChunk, Weighed
from broker.involvement.introductions import derive_audience, derive_introduction_end
from broker.pseudonyms.reference_rows import Introduction
from datwat.protocol.messages import IntroduceObject


class Introduce:
    """`introduce`: hands a person to another partner."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answers with a code each, and the introductions to keep."""
        writes: list[Write] = []
        items = [self._prepare_one(desk, weighed, writes) for weighed in desk.people]
        return PreparedChunk(items, chain_writes(writes))

    def _prepare_one(self, desk: Desk, weighed: Weighed, writes: list[Write]) -> Prepared:
        message = desk.question.object
        assert isinstance(message, IntroduceObject)  # noqa: S101 - chosen by type
        if not weighed.decision.permit:
            return build_refused(weighed)
        occasion, references = desk.shared.occasion, desk.registers.references
        code = references.draw()
        until_at = derive_introduction_end(desk.now)
        confidential = weighed.decision.audience == "own" or (
            occasion is not None and occasion.confidential
        )
        introduction = Introduction(
            subject_id=weighed.subject_id,
            introduced_by=desk.partner,
            audience=derive_audience(confidential=confidential),
            occasion_id=occasion.id if occasion else None,
            until_at=until_at,
        )
        writes.append(
            lambda conn: references.add_introduction(conn, message.to, code, introduction)
        )
        return Prepared(
            weighed=weighed,
            part=build_act(weighed, "given", introduction=code, expires_at=until_at),
            detail=Detail(other_party=name_party(desk.directory, message.to), until_at=until_at),
        )
