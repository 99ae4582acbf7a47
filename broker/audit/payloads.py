"""What is said of an event: the resident's half of an entry (`payload`), and what replay reads.

Rule: a payload tells a resident who, when, why, what was given and what was withheld; never the
staff id of a professional, another person, the internal reason, or anything that depends on another
member of a household. Codes are written down, texts are rendered from them when somebody reads.
Source: AVG 13-15, CJEU C-579/21; audit-log.md ("What writes an entry").
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from datwat.protocol.acts import Consent, Motivation, Reaction
from datwat.protocol.answers import Finding, Obligation, WithheldField
from datwat.protocol.messages import FailureCode, FieldPath, LegalBasis, Notice, Rung
from datwat.protocol.values import (
    Bytes16,
    Bytes32,
    BytesUpTo64K,
    Moment,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)

Event = Literal[
    "register", "end", "open_occasion", "hand_over", "close_occasion", "record_conversation",
    "record_consent", "record_objection", "record_authority", "declare_special_situation",
    "introduce", "inquire", "request_contact", "answer_contact", "release", "report_wrong_person",
    "wish", "outcome", "opened", "renewed", "expired", "looked", "reviewed", "erased", "kept",
    "lost", "new_generation", "answered", "weighed",
]  # fmt: skip


class Organisation(Value):
    """A party as the trust list named it at that moment."""

    id: PartyId
    name: ShortText


class Asked(Value):
    """What was asked or stated, as far as the resident may read it."""

    role: ShortText | None = None
    purpose: Slug | None = None
    purpose_digest: str | None = None
    occasion_kind: str | None = None
    rung: Rung | None = None
    source: Organisation | None = None
    product: Slug | None = None
    fields: tuple[FieldPath, ...] = ()
    motivation: Motivation | None = None


class Said(Value):
    """What was decided: every finding but the internal ones, and the law it rests on."""

    permit: bool
    rung: Rung
    findings: tuple[Finding, ...]
    withheld: tuple[WithheldField, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    legal_basis: LegalBasis | None = None
    revision: str


class GivenPointer(Value):
    """That an involvement was shown, and how much of it."""

    source: Organisation
    kind: Slug
    rung: Rung


class Detail(Value):
    """What an act says of the person; each act fills its own members.

    `consent_id` is the row of the consent: what a withdrawal of this very one needs. `erases` is
    the card whose contents somebody wants destroyed, `answers` the wish that is answered, `lifts`
    the one that is taken back; the ids are the rows of objection, block and question. `kinds` is
    there where an act ends involvements of several.
    """

    kind: Slug | None = None
    kinds: tuple[Slug, ...] | None = None
    since_at: Moment | None = None
    expires_at: Moment | None = None
    shielded: bool | None = None
    reason: Slug | None = None
    member_role: Slug | None = None
    told_at: Moment | None = None
    reaction: Reaction | None = None
    handler_roles: tuple[Slug, ...] = ()
    goals_reached: Slug | None = None
    plan_made: bool | None = None
    consent: Consent | None = None
    consent_id: Bytes16 | None = Field(default=None, repr=False)
    withdraws: int | None = Field(default=None, ge=0)
    erases: int | None = Field(default=None, ge=0)
    answers: int | None = Field(default=None, ge=0)
    kept_for: Slug | None = None
    law: ShortText | None = None
    decided_because: PlainText | None = None
    objection_id: Bytes16 | None = Field(default=None, repr=False)
    block_id: Bytes16 | None = Field(default=None, repr=False)
    question_id: Bytes16 | None = Field(default=None, repr=False)
    blocks: Organisation | None = None
    shields: bool | None = None
    lifts: int | None = Field(default=None, ge=0)
    question: PlainText | None = Field(default=None, repr=False)
    question_to: Organisation | None = None
    question_about: int | None = Field(default=None, ge=0)
    outcome: Slug | None = None
    answer: PlainText | None = Field(default=None, repr=False)
    remedy: Slug | None = None
    objects_to: Slug | None = None
    objection_reason: PlainText | None = None
    authority_kind: Slug | None = None
    other_party: Organisation | None = None
    contact_state: Slug | None = None
    ground: Slug | None = None
    until_at: Moment | None = None
    opening: Slug | None = None
    decider_role: ShortText | None = None
    looked_by: ShortText | None = None
    looked_because: PlainText | None = None
    helped_by: ShortText | None = None
    helped_because: PlainText | None = None
    copy_given: bool | None = None
    count: int | None = Field(default=None, ge=0)


class Delivered(Value):
    """What became of a release: the fields that passed, or why nothing did."""

    fields: tuple[FieldPath, ...]
    failure: FailureCode | None = None


class Reopened(Value):
    """The earlier entry that could not be shown yet: its place, and both its halves."""

    index: int = Field(ge=0)
    commit: Bytes32
    salt: Bytes32 = Field(repr=False)
    core: BytesUpTo64K = Field(repr=False)
    payload: BytesUpTo64K = Field(repr=False)


class Record(Value):
    """The resident's half of one entry; `rid` ties an outcome to its question."""

    v: Literal[1]
    event: Event
    at: Moment
    rid: Bytes16
    requester: Organisation
    notice: Notice
    asked: Asked | None = None
    said: Said | None = None
    pointers: tuple[GivenPointer, ...] = ()
    fields: tuple[FieldPath, ...] = ()
    detail: Detail | None = None
    delivered: Delivered | None = None
    reopened: Reopened | None = None

    @property
    def told(self) -> Record:
        """What it tells: itself, or the earlier entry that it opens."""
        return self if self.reopened is None else parse_payload(self.reopened.payload)


def build_payload(record: Record) -> bytes:
    """Return the JSON of a record without the members that say nothing."""
    return record.model_dump_json(exclude_none=True).encode()


def parse_payload(payload: bytes) -> Record:
    """Return the record of a payload that this log sealed; raise ValidationError if it is none."""
    return Record.model_validate_json(payload)
