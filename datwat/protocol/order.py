"""The order: a decision that was written down, on its way to the source.

Its authority is the receipt: the leaf built from `core`, `payload_hash` and `tag` stands in the log
under a key that the source has pinned. A refusal's core can never be an order (its type differs).
Numbered as in docs/reference/protocol.md, section "Order". Nothing here reads or sends.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import Field

from datwat.protocol.messages import MessageObject, ReceiptPath
from datwat.protocol.values import Bytes16, Bytes32, Bytes64, BytesUpTo1M, BytesUpTo64K, Value


class OrderObject(MessageObject):
    """What the broker signs: the requester's signed object, the core, the other half's hash."""

    type: Literal["order"]
    request_object: BytesUpTo64K
    request_protected: BytesUpTo64K
    request_signature: Bytes64
    core: BytesUpTo64K
    payload_hash: Bytes32
    tag: Bytes32


class Consistency(Value):
    """That the log of `from_size` entries is a prefix of the log of `to_size` entries."""

    from_size: int = Field(ge=0)
    to_size: int = Field(ge=0)
    path: tuple[Bytes32, ...] = Field(max_length=64)


class OrderEnvelope(Value):
    """The order as it reaches a gateway: the signed message, and beside it its proofs.

    `involvement` is the source's own reference, in clear for the source only; the core holds
    `about`.
    `cosigned` is the newest cosigned checkpoint; with a witness threshold of 0 the log's own
    signature counts as cosigned.
    """

    v: Literal[1]
    message: BytesUpTo1M
    involvement: Bytes16 = Field(repr=False)
    receipt: ReceiptPath
    checkpoint: str = Field(max_length=8_192)
    consistency: Consistency
    cosigned: str = Field(max_length=8_192)


class NeedProof(Value):
    """A gateway's answer when the proof starts from a size that it does not hold."""

    need_proof: int = Field(ge=0)


class ContactDeliveryObject(MessageObject):
    """A contact request as the broker relays it to the source's gateway: `ContactDelivery`."""

    type: Literal["contact_request"]


class NoticeObject(MessageObject):
    """What the broker tells of an earlier exchange: told now, or a reference that ended."""

    type: Literal["opened", "annulled", "ended"]


def derive_about(rid: bytes, involvement: bytes) -> bytes:
    """Return `about` of a release core: what the order is about, by the source's own reference."""
    return hashlib.sha256(b"dw-about/v1\0" + rid + involvement).digest()
