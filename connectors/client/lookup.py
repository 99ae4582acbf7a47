"""The blind look-up, the connector's part: blind, check the proof, unblind.

Rules: `r` is used once and leaves nowhere; the key holder learns neither person nor purpose;
nothing is unblinded before the batched proof holds for all elements, in order (RFC 9497 section
2.2). Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from connectors.client.outgoing import Lookup, find_class
from connectors.errors import LookupRefusedError
from datwat.protocol.blinding import Proof, blind, require_proof, unblind
from datwat.protocol.canonical import CanonicalError, decode_strict
from datwat.protocol.messages import EvaluateAnswer
from datwat.protocol.ticket import parse_ticket_header
from datwat.protocol.ticket_errors import TicketFormError
from datwat.protocol.trust import Epoch


@dataclass(frozen=True, slots=True)
class Blinded:
    """The elements to send, and the scalars that take the blinding off again."""

    act: str
    for_rid: bytes
    elements: tuple[bytes, ...]
    scalars: tuple[bytes, ...] = field(repr=False)


def build_blinded(act: str, for_rid: bytes, bsns: Sequence[str]) -> Blinded:
    """Blind each BSN with a fresh scalar; raise BsnError for one that is none."""
    pairs = [blind(bsn) for bsn in bsns]
    return Blinded(
        act=act,
        for_rid=for_rid,
        elements=tuple(element for _, element in pairs),
        scalars=tuple(scalar for scalar, _ in pairs),
    )


def read_lookup(
    raw: bytes, blinded: Blinded, *, rid: bytes, partner: str, epochs: Sequence[Epoch]
) -> Lookup:
    """Return the look-up in the key holder's answer to the message with id `rid`, if it holds.

    1. form and `rid`; 2. as many elements as were sent; 3. an epoch in force; 4. the ticket's
    header is for this partner, class, message and number (only the broker can open it); 5. the
    proof; 6. unblind.

    Raises:
        LookupRefusedError, ProofError, PointError.
    """
    try:
        decode_strict(raw)
        answer = EvaluateAnswer.model_validate_json(raw)
        header = parse_ticket_header(answer.ticket)
    except (CanonicalError, ValidationError, TicketFormError):
        raise LookupRefusedError from None
    expected = (partner, find_class(blinded.act), blinded.for_rid, len(blinded.elements))
    found = (header.partner, header.ticket_class, header.rid, header.n)
    fits = (
        answer.rid == rid
        and len(answer.elements) == len(blinded.elements)
        and answer.epoch == header.epoch
        and answer.epoch in {epoch.epoch for epoch in epochs}
        and expected == found
        and hmac.compare_digest(answer.pk_t, header.public)
    )
    if not fits:
        raise LookupRefusedError
    proof = Proof(answer.proof_c, answer.proof_s)
    require_proof(answer.pk_t, blinded.elements, answer.elements, proof)
    gammas = tuple(map(unblind, blinded.scalars, answer.elements))
    return Lookup(gammas=gammas, ticket=answer.ticket)
