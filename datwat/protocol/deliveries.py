"""What the broker relays to a source's gateway beside orders: the content of the one part.

A `contact_request` carries a `ContactDelivery`; an `opened` notice an `OpenedNotice`; `annulled`
and `ended` an `EndedNotice`. References are the receiving partner's own. protocol.md section 3.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from datwat.protocol.acts import Contact
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.values import Bytes16, Bytes32, BytesUpTo64K, Moment, PartyId, Slug, Value


class ContactDelivery(Value):
    """Who wants to be called, about which of the source's own involvements, and by when.

    `contact_request` is the reference that `answer_contact` cites.
    """

    contact_request: Bytes16 = Field(repr=False)
    involvement: Bytes16 = Field(repr=False)
    requester: PartyId
    call_back: Contact = Field(repr=False)
    asked_at: Moment
    due_at: Moment
    until_at: Moment


class OpenedCore(Value):
    """The public half of the entry by which a delayed entry opens: its place and its commit.

    `at` is when it opened; openings of before it was stated have none.
    """

    v: Annotated[int, Field(ge=1, le=1)]  # a Literal would take `true` for it
    type: Literal["opened"]
    index: int = Field(ge=0)
    commit: Bytes32
    at: Moment | None = None


class OpenedNotice(Value):
    """That an entry which was to be told later is told now, with the proof that this is logged."""

    core: BytesUpTo64K
    payload_hash: Bytes32
    tag: Bytes32
    receipt: ReceiptPath
    checkpoint: str = Field(max_length=8_192)


class EndedNotice(Value):
    """That one of this partner's references leads to nothing any more, and why."""

    kind: Literal["handle", "involvement", "occasion", "contact_request"]
    reference: Bytes16 = Field(repr=False)
    reason: Slug
    ended_at: Moment
