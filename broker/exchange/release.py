"""What is known? The order that a permitted release becomes, and what its envelope must be.

Rules: an order exists only where policy permits *and* the involvement cited was shown to this
requester, is this person's and this source's; without, it is refused with the code that every fact
of the person shares. The broker checks signature, core and paths of an envelope, and cannot read
it. Source: "Answers and the sealed release"; protocol.md sections 7 and 8.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol, get_args

from pydantic import ValidationError

from broker.exchange.acts import Desk
from broker.exchange.answers import SHARED_CODE, build_open_weighing, build_refused_weighing
from broker.exchange.facts import Shown
from broker.exchange.question import Prepared, PreparedChunk, Weighed, write_nothing
from broker.involvement.involvements import is_current
from datwat.party.trust_list import Directory, IssuerRefusedError
from datwat.protocol.answers import ReleasePart, Weighing, WithheldField
from datwat.protocol.envelope import (
    EnvelopeCoreError,
    EnvelopeError,
    EnvelopeObject,
    require_fields,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.freshness import RESUME_AGE
from datwat.protocol.messages import FailureCode, LegalBasis, ReleaseCore, ReleaseObject
from datwat.protocol.order import derive_about
from datwat.protocol.signing import SignedMessage, open_message, require_envelope
from datwat.protocol.trust import Partner

_FAILURES: frozenset[str] = frozenset(get_args(FailureCode))


class DeliveryFailedError(Exception):
    """Nothing passes: the source gave no envelope that answers the order."""

    def __init__(self, failure: FailureCode) -> None:
        self.failure = failure
        super().__init__(failure)


@dataclass(frozen=True, slots=True)
class Order:
    """An order whose entry is written: what the gateway gets, but for the proofs."""

    message: bytes = field(repr=False)
    involvement: bytes = field(repr=False)
    index: int


class Gateways(Protocol):
    """Where orders go."""

    async def send_order(self, source: Partner, order: Order) -> bytes:
        """Return the bytes that a source's gateway answers within two seconds.

        Raises DeliveryFailedError for everything that is not an answer.
        """


class Release:
    """`release`: fields of one product from one source, about one person."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answer as it will be if the source delivers, and the core of the order."""
        (weighed,) = desk.people
        message = desk.question.object
        assert isinstance(message, ReleaseObject)  # noqa: S101 - chosen by type
        shown = weighed.gathered.facts.shown
        reference = _find_source_reference(desk, shown, message.source)
        basis = weighed.decision.legal_basis
        if not weighed.decision.permit or reference is None or basis is None:
            return PreparedChunk([_build_refused(weighed, message)], write_nothing)
        decision = weighed.decision
        core = ReleaseCore(
            v=1,
            type="release",
            iat=desk.now,
            request_hash=desk.question.request_hash,
            about=derive_about(message.rid, reference),
            legal_basis=basis,
            fields=decision.fields,
            revision=desk.revision,
            notice=decision.notice,
        )
        prepared = Prepared(
            weighed=weighed,
            part=_build_part(
                weighed, build_open_weighing(decision), decision.fields, decision.withheld, basis
            ),
            fields=decision.fields,
            orders=core,
            ordered_by=reference,
            keeps_own=shown is not None and shown.involvement.confidential,
        )
        return PreparedChunk([prepared], write_nothing)


def _find_source_reference(desk: Desk, shown: Shown | None, source: str) -> bytes | None:
    """Return the source's own reference to the involvement cited; one statement, always."""
    held = shown.involvement if shown else None
    found = desk.registers.references.find_reference(
        desk.conn, source, "involvement", held.id if held else bytes(16), desk.now
    )
    fits = held is not None and held.source == source and is_current(held, desk.now)
    return found if fits else None


def _build_refused(weighed: Weighed, message: ReleaseObject) -> Prepared:
    decision = weighed.decision
    if decision.permit:
        # Policy permits and the register has no ground: a fact of the person like any other.
        weighing = build_refused_weighing(decision)
        withheld = tuple(WithheldField(field=path, code=SHARED_CODE) for path in message.fields)
    else:
        weighing, withheld = build_open_weighing(decision), decision.withheld
    return Prepared(weighed=weighed, part=_build_part(weighed, weighing, (), withheld, None))


def _build_part(
    weighed: Weighed,
    weighing: Weighing,
    fields: tuple[str, ...],
    withheld: tuple[WithheldField, ...],
    basis: LegalBasis | None,
) -> ReleasePart:
    return ReleasePart(
        type="release",
        weighing=weighing,
        handle=weighed.gathered.handle,
        fields=fields,
        withheld=withheld,
        legal_basis=basis,
        failure=None,
    )


def build_failed_part(part: ReleasePart, failure: FailureCode) -> ReleasePart:
    """Return the answer to a permitted release of which nothing came: no field is given."""
    return part.model_copy(update={"fields": (), "failure": failure})


@lru_cache(maxsize=64)
def read_core(core: bytes) -> ReleaseCore:
    """Return the core of a recorded order; each step of a release reads the same one."""
    return ReleaseCore.model_validate_json(core)


def choose_failure(peer_code: str) -> FailureCode:
    """Return the failure that a gateway's problem means to the requester."""
    if peer_code in _FAILURES:
        return peer_code  # type: ignore[return-value] # it is in the set of them
    return "source_refused_order"


def require_answering(
    envelope: bytes, core: bytes, message: ReleaseObject, directory: Directory, now: datetime
) -> None:
    """Raise DeliveryFailedError unless these bytes are the source's envelope for this order.

    1. signed by the source, for this broker, about this `rid`; 2. for this core; 3. with exactly
    the core's paths. Nothing is opened: the broker has no key to it.
    """
    try:
        signed = SignedMessage.from_bytes(envelope)
        opened = open_message(signed, directory.keys)
        issuer = directory.require_issuer(opened.kid, now)
        found = require_envelope(
            opened.object,
            type="envelope",
            iss=message.source,
            aud=message.aud,
            now=now,
            max_age=RESUME_AGE,
        )
        body = EnvelopeObject.model_validate_json(opened.object_bytes)
    except (ProtocolError, IssuerRefusedError, ValidationError):
        raise DeliveryFailedError("source_answer_invalid") from None
    if issuer.id != message.source or found.rid != message.rid:
        raise DeliveryFailedError("source_answer_invalid")
    try:
        require_fields(body, hashlib.sha256(core).digest(), read_core(core).fields)
    except EnvelopeCoreError:
        raise DeliveryFailedError("source_answer_invalid") from None
    except EnvelopeError:
        raise DeliveryFailedError("source_fields_differ") from None
