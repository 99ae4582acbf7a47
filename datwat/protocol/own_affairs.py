"""What a resident sees of themselves beside their log: who is involved, and what they said.

Rules: `number` is everywhere the index of the entry that tells of it, which a page of the log shows
with its proofs (None where the contents of that entry are gone); nothing is listed that who looks
could not read there, so that what waits for its opening, and with a representative's eyes what is
for the person alone, differs in nothing.
Source: AVG 12, 15, 18, 21; audit-log.md ("Chains").
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from datwat.protocol.acts import Contact
from datwat.protocol.values import (
    Bytes16,
    Moment,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)

ObjectionState = Literal["open", "upheld", "rejected"]
Remedy = Literal["administrative", "court"]
HowEnded = Literal[
    "ended", "entered_in_error", "superseded", "died", "moved", "expired", "wrong_person"
]


class KnownOrganisation(Value):
    """An organisation of the trust list, with the contact that it gives to the public."""

    id: PartyId
    name: ShortText
    domain: Slug
    contact: PlainText


class OwnInvolvement(Value):
    """That a source is involved now, as the person themselves may see it.

    `contact` is the source's own for this person; a representative gets the organisation's central
    one, and of what the source shields the domain only (then source, kind and since are None).
    `as_of` is when it was last confirmed, to a representative when it was last told in the log, and
    `until_at` None.
    """

    number: int | None = Field(ge=0)
    source: PartyId | None
    source_name: ShortText | None
    kind: Slug | None
    domain: Slug
    contact: Contact = Field(repr=False)
    central: PlainText
    since_at: Moment | None
    as_of: Moment
    until_at: Moment | None
    shielded: bool


class PastInvolvement(Value):
    """An involvement that is over: since when, until when, and how it ended.

    `told_in` is the number of the entry that tells of the end; None where its term ended it.
    """

    number: int = Field(ge=0)
    source: PartyId | None
    source_name: ShortText | None
    kind: Slug | None
    domain: Slug
    since_at: Moment | None
    registered_at: Moment
    ended_at: Moment
    how: HowEnded
    told_in: int | None = Field(ge=0)


class OwnInvolvements(Value):
    """Who is involved now and who was, each newest first; `is_whole`: no older entry was left."""

    v: Literal[1]
    rid: Bytes16
    as_of: Moment
    now: tuple[OwnInvolvement, ...] = Field(max_length=1_000)
    past: tuple[PastInvolvement, ...] = Field(max_length=20_000)
    is_whole: bool


class OwnConsent(Value):
    """A consent or written no-objection that the person gave; None means: all in the purpose."""

    number: int | None = Field(ge=0)
    kind: Literal["explicit", "no_objection"]
    purpose: Slug
    product: Slug | None
    fields: tuple[str, ...]
    source: PartyId | None
    source_name: ShortText | None
    requester: PartyId | None
    requester_name: ShortText | None
    given_by: Literal["self", "representative", "both"]
    given_at: Moment
    until_at: Moment
    withdrawn_at: Moment | None
    recorded_by: PartyId
    recorded_by_name: ShortText


class Reply(Value):
    """What an officer answered, in which role, and in which entry it stands."""

    number: int | None = Field(ge=0)
    at: Moment
    role: ShortText
    text: PlainText


class OwnObjection(Value):
    """An objection, until when it is to be answered (AVG 12(3): one month), and the answer.

    `remedy`: against an answer of a public body an objection under the Awb, else the court.
    """

    number: int | None = Field(ge=0)
    purpose: Slug | None
    reason: PlainText = Field(repr=False)
    made_at: Moment
    answer_by: Moment
    state: ObjectionState
    answer: Reply | None
    remedy: Remedy | None
    recorded_by: PartyId
    recorded_by_name: ShortText


class OwnQuestion(Value):
    """A question to an organisation, or to the officer (`to` is None), and its answer."""

    number: int | None = Field(ge=0)
    to: PartyId | None
    to_name: ShortText | None
    about: int | None = Field(ge=0)
    text: PlainText = Field(repr=False)
    asked_at: Moment
    answer_by: Moment
    state: Literal["open", "answered"]
    answer: Reply | None


class OwnBlock(Value):
    """That an organisation may not look, from when until when."""

    number: int | None = Field(ge=0)
    organisation: PartyId
    organisation_name: ShortText
    since_at: Moment
    until_at: Moment


class OwnShield(Value):
    """That the address is shielded by the person's own wish, from when until when."""

    number: int | None = Field(ge=0)
    since_at: Moment
    until_at: Moment


class OwnWishes(Value):
    """All that the person said and that counts or waits for an answer, each newest first."""

    v: Literal[1]
    rid: Bytes16
    as_of: Moment
    consents: tuple[OwnConsent, ...] = Field(max_length=200)
    objections: tuple[OwnObjection, ...] = Field(max_length=200)
    questions: tuple[OwnQuestion, ...] = Field(max_length=200)
    blocks: tuple[OwnBlock, ...] = Field(max_length=1_000)
    shield: OwnShield | None
