"""The wire models that every message shares: its object, its answer, and the words of the ladder.

A message is `{object, protected, signature, parts[]}` (`signing.py`). `object` is canonical JSON of
one of the models that derive from `MessageObject`; it names each part by SHA-256. A part is 16
random bytes followed by content: canonical JSON of a model of `acts.py`, or the bytes of a ticket.
The order of the parts is: statement (if `has_statement`), ticket (if `has_ticket`), one per person.
Only `object` is ever forwarded to another party; `request_hash` is SHA-256 of its bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from datwat.protocol.log_cores import Term
from datwat.protocol.values import (
    Bytes16,
    Bytes32,
    BytesUpTo1M,
    BytesUpTo64K,
    Moment,
    MonthText,
    PartyId,
    Slug,
    Value,
)

Rung = Literal["none", "contact", "category", "dat", "wat"]
RUNGS: tuple[Rung, ...] = ("none", "contact", "category", "dat", "wat")
Blade = Literal["purpose", "subsidiarity", "proportionality", "efficiency", "transparency"]
BLADES: tuple[Blade, ...] = (
    "purpose",
    "subsidiarity",
    "proportionality",
    "efficiency",
    "transparency",
)
Notice = Literal["now", "later"]
MAX_PERSONS = 1_000
FieldPath = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63}){0,3}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EpochNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class MessageObject(Value):
    """What every signed object carries; `parts` are SHA-256 digests in the order given above."""

    v: Literal[1]
    type: str
    iss: PartyId
    aud: PartyId
    iat: Moment
    rid: Bytes16
    has_statement: bool = False
    has_ticket: bool = False
    parts: tuple[Bytes32, ...] = Field(default=(), max_length=MAX_PERSONS + 2)


class PurposeRef(Value):
    """A purpose as the requester knows it: its id and the digest of the revision that it read."""

    id: Slug
    digest: Digest


class ActObject(MessageObject):
    """An act about persons that needs nothing public beyond the envelope."""

    type: Literal[
        "register",
        "end",
        "open_occasion",
        "hand_over",
        "close_occasion",
        "record_conversation",
        "record_consent",
        "record_objection",
        "record_authority",
        "declare_special_situation",
        "answer_contact",
        "report_wrong_person",
        "open_session",
        "end_session",
        "access_log",
        "access_log_proof",
        "own_involvements",
        "own_wishes",
        "wish",
    ]


class IntroduceObject(MessageObject):
    """An introduction to one other partner (`to`), which may redeem each code once."""

    type: Literal["introduce"]
    to: PartyId


class InquiryObject(MessageObject):
    """Who is involved, up to a rung, for one registered purpose; for contact there is a request."""

    type: Literal["inquire"]
    purpose: PurposeRef
    rung: Literal["category", "dat"]


class ContactRequestObject(MessageObject):
    """A wish to be called by one source, relayed, revealing nothing to the requester."""

    type: Literal["request_contact"]
    purpose: PurposeRef
    source: PartyId


class ReleaseObject(MessageObject):
    """A request for fields of one data product from one source about one person.

    `reply_key` is an X25519 public key made for this `rid` and deleted after opening.
    """

    type: Literal["release"]
    purpose: PurposeRef
    source: PartyId
    product: Slug
    fields: tuple[FieldPath, ...] = Field(min_length=1, max_length=64)
    reply_key: Bytes32


class FiguresObject(MessageObject):
    """A partner asks for the figures of its own use of a month; about nobody, so without parts.

    Without `month` it is the last one that was over at `iat`.
    """

    type: Literal["own_figures"]
    month: MonthText | None = None


class EvaluateObject(MessageObject):
    """A blind look-up at the key holder: `for_rid` is the id of the message that will follow.

    `epochs` are those of the sender's trust list, where it has two: the key holder answers under
    one of them. Left out, the list has one, and a key holder with two takes the older.
    """

    type: Literal["evaluate"]
    request_class: Literal["register", "inquire", "self"]
    for_rid: Bytes16
    elements: tuple[Bytes32, ...] = Field(min_length=1, max_length=MAX_PERSONS)
    epochs: tuple[EpochNumber, ...] = Field(default=(), max_length=2)


class EvaluateAnswer(Value):
    """The key holder's answer: blinded evaluations, batched DLEQ proof under `pk_t`, a ticket."""

    v: Literal[1]
    rid: Bytes16
    epoch: int = Field(ge=1)
    pk_t: Bytes32
    elements: tuple[Bytes32, ...] = Field(min_length=1, max_length=MAX_PERSONS)
    proof_c: Bytes32
    proof_s: Bytes32
    ticket: BytesUpTo64K


class ReceiptPath(Value):
    """Where an entry stands in the log: its index and the inclusion path, leaf to root."""

    index: int = Field(ge=0)
    path: tuple[Bytes32, ...] = Field(max_length=64)


class PersonAnswer(Value):
    """The answer about one person, in the order of the person parts, with its receipt.

    `part` is the padded JSON of a model of `answers.py`; `core` the exact bytes that the entry's
    commit covers. A mere reconfirmation writes no entry: then `core` is empty and the rest absent.
    """

    part: BytesUpTo1M
    core: BytesUpTo64K
    payload_hash: Bytes32 | None
    tag: Bytes32 | None
    receipt: ReceiptPath | None


class Answer(Value):
    """What the broker answers to any act: one `checkpoint` (a signed note) covers all receipts.

    `envelope` is there for a delivered release only: the source's signed message, byte for byte.
    """

    v: Literal[1]
    rid: Bytes16
    checkpoint: str | None = Field(max_length=8_192)
    answers: tuple[PersonAnswer, ...] = Field(max_length=MAX_PERSONS)
    envelope: BytesUpTo1M | None = None


class Core(Value):
    """The partner's half of an entry for an inquiry, another act, or a refused release.

    `request_hash` = SHA-256 of the object, `person_hash` = SHA-256 of the person part,
    `answer_hash` = SHA-256 of the padded answer part, `revision` = that of the policy bundle.
    `term` is there where the act states a special situation: until when the resident waits.
    """

    v: Literal[1]
    type: Literal["inquiry", "act", "refusal"]
    request_hash: Bytes32
    person_hash: Bytes32
    answer_hash: Bytes32
    revision: str = Field(max_length=80)
    notice: Notice
    term: Term | None = None


class LegalBasis(Value):
    """The two locks of a release: the article that lets give and the one that lets take."""

    giver_article: str = Field(max_length=200)
    taker_article: str = Field(max_length=200)
    mode: Literal["duty", "may", "explicit_consent", "no_objection"]


class ReleaseCore(Value):
    r"""What the broker adds or narrows in an order; it exists for a permit only.

    `about` = SHA-256("dw-about/v1\0" ‖ rid ‖ the source's own reference to the involvement).
    """

    v: Literal[1]
    type: Literal["release"]
    iat: Moment
    request_hash: Bytes32
    about: Bytes32
    legal_basis: LegalBasis
    fields: tuple[FieldPath, ...] = Field(min_length=1, max_length=64)
    revision: str = Field(max_length=80)
    notice: Notice


FailureCode = Literal[
    "source_unreachable",
    "source_too_slow",
    "source_answer_invalid",
    "source_fields_differ",
    "source_refuses",
    "source_has_no_record",
    "source_other_person",
    "source_refused_order",
    "source_not_named",
]


class OutcomeCore(Value):
    """What became of a delivery: exactly one of `envelope_hash` and `failure` is set."""

    v: Literal[1]
    type: Literal["outcome"]
    request_hash: Bytes32
    core_hash: Bytes32
    answer_hash: Bytes32
    envelope_hash: Bytes32 | None
    failure: FailureCode | None
    notice: Notice
