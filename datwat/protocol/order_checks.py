"""What makes an order hold: the numbered steps of protocol.md section 8, each a pure function.

Rule (promise 3): the order's authority is the receipt; nothing that a broker says is believed
without it, and nothing beyond request, signed purpose and the source's own list is ever read.
Steps 8 and 9 (spending, reading, sealing) are the gateway's. The time is passed in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from datwat.protocol.canonical import CanonicalError, decode_canonical, decode_strict
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from datwat.protocol.freshness import CLOCK_SKEW, RESUME_AGE, require_fresh
from datwat.protocol.jws import verify_object
from datwat.protocol.keys import VerifyKey
from datwat.protocol.merkle import ConsistencyError, verify_consistency
from datwat.protocol.messages import ReleaseCore, ReleaseObject
from datwat.protocol.notes import parse_note
from datwat.protocol.order import Consistency, OrderEnvelope, OrderObject, derive_about
from datwat.protocol.order_errors import (
    LogForkedError,
    NeedProofError,
    OrderAheadError,
    OrderCoreError,
    OrderCoreTypeError,
    OrderEdgeError,
    OrderExpiredError,
    OrderFieldNotAllowedError,
    OrderFieldOutsideError,
    OrderFieldTwiceError,
    OrderFieldUnrequestedError,
    OrderFormError,
    OrderIdError,
    OrderNotCosignedError,
    OrderObjectError,
    OrderOtherInvolvementError,
    OrderOtherRequestError,
    OrderPurposeTimeError,
    OrderPurposeUnknownError,
    OrderRequestAheadError,
    OrderRequestError,
    OrderRequestLateError,
    OrderSourceError,
)
from datwat.protocol.receipt import require_receipt
from datwat.protocol.signing import (
    MessageAudienceError,
    MessageIssuerError,
    MessageTypeError,
    SignedMessage,
    open_message,
    require_envelope,
)
from datwat.protocol.trust import LogEntry

COSIGNED_WITHIN = timedelta(minutes=15)
MAX_ORDER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The requester's object, whose signature holds under the key `kid`; read no further yet."""

    kid: str
    object_bytes: bytes = field(repr=False)


def read_order(body: bytes) -> OrderEnvelope:
    """Step 1, form: return the order as it came; raise CanonicalError or OrderFormError."""
    decode_strict(body, max_bytes=MAX_ORDER_BYTES)
    try:
        return OrderEnvelope.model_validate_json(body)
    except ValidationError:
        raise OrderFormError from None


def open_order(
    message: bytes, broker_keys: Mapping[str, VerifyKey], *, broker: str, own: str, now: datetime
) -> OrderObject:
    """Step 1: return what the broker signed, for this source, at most ten minutes ago.

    Raises CanonicalError, a MessageError of its own kind, or OrderObjectError.
    """
    opened = open_message(SignedMessage.from_bytes(message), broker_keys)
    require_envelope(opened.object, type="order", iss=broker, aud=own, now=now, max_age=RESUME_AGE)
    try:
        order = OrderObject.model_validate_json(opened.object_bytes)
    except ValidationError:
        raise OrderObjectError from None
    if order.parts or order.has_statement or order.has_ticket:
        raise OrderObjectError
    return order


def verify_request(order: OrderObject, keys: Mapping[str, VerifyKey]) -> SignedRequest:
    """Step 2, signature: return whose key signed the request that the order carries.

    Raises MessageHeaderError, MessageKeyError, MessageSignatureError.
    """
    kid = verify_object(
        order.request_object, order.request_protected, order.request_signature, keys
    )
    return SignedRequest(kid, order.request_object)


def require_request(
    signed: SignedRequest, order: OrderObject, *, requester: str, broker: str, own: str
) -> ReleaseObject:
    """Step 2: return the request if its signer made it, to the broker, for this source.

    `requester` is the owner of the signing key, which the caller found to be in force. Its time is
    step 3's. Raises MessageTypeError, MessageIssuerError, MessageAudienceError, OrderRequestError,
    OrderIdError, OrderSourceError.
    """
    try:
        members = decode_canonical(signed.object_bytes)
    except CanonicalError:
        raise OrderRequestError from None
    if isinstance(members, dict) and members.get("type") != "release":
        raise MessageTypeError(place="type")
    try:
        request = ReleaseObject.model_validate_json(signed.object_bytes)
    except ValidationError:
        raise OrderRequestError from None
    if request.iss != requester:
        raise MessageIssuerError(place="iss")
    if request.aud != broker:
        raise MessageAudienceError(place="aud")
    if request.rid != order.rid:
        raise OrderIdError
    if request.source != own:
        raise OrderSourceError
    return request


def require_times(request_at: datetime, decided_at: datetime, now: datetime) -> None:
    """Step 3: the request at most 60 s before the core, the core at most ten minutes back.

    Clocks may differ 30 s. Raises OrderRequestLateError, OrderRequestAheadError,
    OrderExpiredError, OrderAheadError.
    """
    require_fresh(
        request_at, decided_at, expired=OrderRequestLateError, ahead=OrderRequestAheadError
    )
    require_fresh(
        decided_at, now, expired=OrderExpiredError, ahead=OrderAheadError, max_age=RESUME_AGE
    )


def read_core(core: bytes) -> ReleaseCore:
    """Step 4, form: return the core; raise OrderCoreError, or OrderCoreTypeError for no permit."""
    try:
        members = decode_canonical(core)
    except CanonicalError:
        raise OrderCoreError from None
    if not isinstance(members, dict):
        raise OrderCoreError
    if members.get("type") != "release":
        raise OrderCoreTypeError
    try:
        return ReleaseCore.model_validate_json(core)
    except ValidationError:
        raise OrderCoreError from None


def require_core(core: ReleaseCore, order: OrderObject, involvement: bytes) -> None:
    """Step 4: the core is for this request and about this involvement.

    Raises OrderOtherRequestError, OrderOtherInvolvementError.
    """
    request_hash = hashlib.sha256(order.request_object).digest()
    if not hmac.compare_digest(core.request_hash, request_hash):
        raise OrderOtherRequestError
    if not hmac.compare_digest(core.about, derive_about(order.rid, involvement)):
        raise OrderOtherInvolvementError


def require_fields(
    core: ReleaseCore,
    request: ReleaseObject,
    catalogue: CatalogueView,
    allowed: Collection[str],
    *,
    source_function: str,
    requester_function: str,
) -> None:
    """Step 5: core's fields ⊆ the request's ⊆ the signed purpose's edge ⊆ the source's own list.

    The request may ask more than the purpose lets pass; what is ordered may not. `allowed` are the
    paths that this source declared for the product. Raises an OrderError of its own for each.
    """
    ordered = set(core.fields)
    if len(ordered) != len(core.fields):
        raise OrderFieldTwiceError
    if not ordered <= set(request.fields):
        raise OrderFieldUnrequestedError
    purpose = catalogue.find_purpose(request.purpose.id, request.purpose.digest)
    if purpose is None:
        raise OrderPurposeUnknownError
    if catalogue.find_cited(purpose.id, purpose.digest, core.iat) is None:
        raise OrderPurposeTimeError
    edge = purpose.find_edge(
        source=source_function, requester=requester_function, product=request.product
    )
    if edge is None:
        raise OrderEdgeError
    if not ordered <= edge.paths:
        raise OrderFieldOutsideError
    if not ordered <= set(allowed):
        raise OrderFieldNotAllowedError


def require_logged(order: OrderObject, envelope: OrderEnvelope, log: LogEntry) -> Checkpoint:
    """Step 6: return the checkpoint under which the decision stands, by a pinned key of the log.

    Raises NoteError, ReceiptOutsideError, ReceiptError.
    """
    return require_receipt(
        core=order.core,
        payload_hash=order.payload_hash,
        tag=order.tag,
        receipt=envelope.receipt,
        checkpoint=envelope.checkpoint.encode(),
        origin=log.origin,
        vkeys=log.vkeys,
    )


def require_cosigned(
    note: bytes, log: LogEntry, witnesses: Sequence[str], threshold: int, now: datetime
) -> Checkpoint:
    """Step 6: return the newest cosigned checkpoint; `threshold` 0: the log's word is enough.

    A cosignature counts for 15 minutes. Raises NoteError or OrderNotCosignedError.
    """
    found = verify_checkpoint(note, log.origin, log.vkeys)
    if threshold:
        oldest = (now - COSIGNED_WITHIN - CLOCK_SKEW).timestamp()
        newest = (now + CLOCK_SKEW).timestamp()
        cosignatures = verify_cosignatures(parse_note(note), witnesses)
        if sum(oldest <= word.timestamp <= newest for word in cosignatures) < threshold:
            raise OrderNotCosignedError
    return found


def require_consistent(
    found: Checkpoint,
    proof: Consistency,
    newest: Checkpoint | None,
    known: Mapping[int, bytes],
) -> bool:
    """Step 7: tell whether `found`, whose signature holds, is newer than all accepted before.

    `newest` and `known` (root by size, the newest included) are what was accepted. A known size
    needs no proof; a larger one is proved from the newest; a smaller one into a known one, all of
    which are proved into the newest. Without anything accepted, `found` is the first.

    Raises:
        NeedProofError: the proof has another base than what is held.
        LogForkedError: the proof fails, or a known size has another root.
    """
    if newest is None:
        return True
    root = known.get(found.size)
    if root is not None:
        if not hmac.compare_digest(root, found.root):
            raise LogForkedError
        return False
    if found.size > newest.size:
        if (proof.from_size, proof.to_size) != (newest.size, found.size):
            raise NeedProofError(newest.size)
        _prove(proof, newest.root, found.root)
        return True
    target = known.get(proof.to_size)
    if proof.from_size != found.size or proof.to_size < found.size or target is None:
        raise NeedProofError(newest.size)
    _prove(proof, found.root, target)
    return False


def _prove(proof: Consistency, first_root: bytes, second_root: bytes) -> None:
    try:
        verify_consistency(proof.from_size, proof.to_size, proof.path, first_root, second_root)
    except ConsistencyError:
        raise LogForkedError from None
