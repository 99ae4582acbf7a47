"""What a partner's own software sends to its connector: acts by its own numbers.

`client` is the partner's own client number, `occasion` its own number of an occasion, `pointer` the
number under which this connector showed an involvement. No reference of the broker's passes here,
so that none lies about in other systems. Every request about a client names the professional who
acts.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from datwat.protocol.acts import (
    AgeBand,
    Authority,
    CloseOccasion,
    Consent,
    Contact,
    Conversation,
    Handler,
    Identity,
    Motivation,
    Objection,
    OccasionStatement,
    Professional,
    SpecialSituation,
)
from datwat.protocol.messages import FieldPath
from datwat.protocol.values import (
    Bytes16,
    FormError,
    Moment,
    MonthText,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)

MAX_ROWS = 1_000
MAX_PERSONS = 32


class BsnRecord(Value):
    """The record that a BSN comes from: a document or register, with its name and date of birth."""

    bsn: str = Field(min_length=8, max_length=16, repr=False)
    family_name: ShortText = Field(repr=False)
    birth_date: date = Field(repr=False)


class ClientRef(Value):
    """A client by the partner's own number, with what is needed the first time.

    The first time, a record with the BSN is needed: the one given here, else that of the source
    declaration. Name and date of birth, where given, must be those of that record. An introduction
    code replaces the record for a partner that may not use the BSN.
    """

    client: ShortText
    family_name: ShortText | None = Field(default=None, repr=False)
    birth_date: date | None = Field(default=None, repr=False)
    record: BsnRecord | None = Field(default=None, repr=False)
    introduction: Bytes16 | None = Field(default=None, repr=False)
    identity: Identity | None = None


class Request(Value):
    """What every request carries: who acts, as the application's own login knows them."""

    professional: Professional


class OnOccasion(Request):
    """A request that may rest on an occasion of this partner."""

    occasion: ShortText | None = None


class RegistrationRow(ClientRef):
    """An involvement with one client; its expiry is fixed by kind."""

    kind: Slug
    contact: Contact
    since_at: Moment
    shielded: bool = False
    confidential: bool = False
    told_at: Moment | None = None


class Register(Request):
    """Register or reconfirm involvements."""

    rows: tuple[RegistrationRow, ...] = Field(min_length=1, max_length=MAX_ROWS)


class EndingRow(Value):
    """An involvement that ends."""

    client: ShortText
    kind: Slug
    ends: Literal["ended", "entered_in_error", "superseded", "died", "moved"]


class End(Request):
    """End involvements."""

    rows: tuple[EndingRow, ...] = Field(min_length=1, max_length=MAX_ROWS)


class Member(ClientRef):
    """A member of the household that an occasion is about."""

    role: Slug
    source: Literal["told", "register", "observed"]
    told_at: Moment | None = None
    may_look_up: bool = True
    age_band: AgeBand | None = None
    conversation: Conversation | None = None


class OpenOccasion(Request):
    """Open an occasion, under the partner's own number for it."""

    occasion: ShortText
    opens: OccasionStatement
    members: tuple[Member, ...] = Field(min_length=1, max_length=MAX_PERSONS)


class HandOver(Request):
    """Give an occasion to other handlers."""

    occasion: ShortText
    handlers: tuple[Handler, ...] = Field(min_length=1, max_length=20)


class Close(Request):
    """Close an occasion: the right to ask ends."""

    occasion: ShortText
    closes: CloseOccasion


class DeclareSpecialSituation(Request):
    """Say that the residents on an occasion are told later, and why."""

    occasion: ShortText
    special_situation: SpecialSituation


class ConversationRow(Value):
    """A conversation with one member."""

    client: ShortText
    conversation: Conversation


class RecordConversation(Request):
    """Record that members of an occasion were spoken with."""

    occasion: ShortText
    rows: tuple[ConversationRow, ...] = Field(min_length=1, max_length=MAX_PERSONS)


class RecordConsent(Request):
    """Record a consent or written no-objection of one client, on an occasion."""

    occasion: ShortText
    client: ShortText
    consent: Consent


class RecordObjection(OnOccasion):
    """Record an objection of one client."""

    client: ShortText
    objection: Objection


class RecordAuthority(Request):
    """Record who has authority over one client, on an occasion."""

    occasion: ShortText
    client: ShortText
    authority: Authority


class Introduce(OnOccasion):
    """Introduce clients to one other partner, by a one-time code each."""

    clients: tuple[ClientRef, ...] = Field(min_length=1, max_length=MAX_PERSONS)
    to: PartyId
    role: Slug | None = None


class RedeemIntroduction(Request):
    """Redeem a code under a client number of one's own: to register, or to open an occasion."""

    code: Bytes16 = Field(repr=False)
    client: ShortText
    registers: RegistrationRow | None = None
    occasion: OpenOccasion | None = None

    @model_validator(mode="after")
    def _one_use(self) -> RedeemIntroduction:
        if (self.registers is None) == (self.occasion is None):
            raise FormError("A code is used once: give either `registers` or `occasion`.")
        return self


class Ask(Request):
    """Ask who is involved with clients."""

    clients: tuple[ClientRef, ...] = Field(min_length=1, max_length=MAX_PERSONS)
    occasion: ShortText | None = None
    purpose: Slug
    rung: Literal["category", "dat"] = "dat"
    motivation: Motivation | None = None


class AskKnown(Request):
    """Ask a source for fields of a data product about one client.

    `pointer` is the number under which the involvement was shown; `source` is needed without one.
    """

    client: ClientRef
    occasion: ShortText | None = None
    purpose: Slug
    pointer: int | None = Field(default=None, ge=1)
    source: PartyId | None = None
    product: Slug
    fields: tuple[FieldPath, ...] = Field(min_length=1, max_length=64)
    motivation: Motivation
    internal_reason: PlainText | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _has_source(self) -> AskKnown:
        if self.pointer is None and self.source is None:
            raise FormError("Say whom is asked: give `pointer`, or `source` without one.")
        return self


class RequestContact(Request):
    """Ask to be called by one source; nothing is learned but that it was sent.

    `motivation` is the reason, for an urgent one: the resident and the reviewer read it.
    """

    client: ClientRef
    occasion: ShortText | None = None
    purpose: Slug
    source: PartyId
    call_back: Contact
    motivation: Motivation | None = None


class AnswerContact(Request):
    """Say that a contact request was seen or answered, by the number of its delivery here."""

    contact: int = Field(ge=1, lt=2**31)  # as large as its column on either database
    state: Literal["seen", "answered"]


class ReportWrongPerson(OnOccasion):
    """Say that what is known under a client number belongs to somebody else.

    `kind` names the involvement that was registered on the wrong person, if one was.
    """

    clients: tuple[ShortText, ...] = Field(min_length=1, max_length=2)
    kind: Slug | None = None


class FetchFigures(Value):
    """Read the figures of the own use of a month; without one the last that is over."""

    month: MonthText | None = None


class Sync(Request):
    """Bring the broker's pointers in line with the source declaration.

    `allow_ending`: also where the source is empty, or misses over half of what is current.
    """

    allow_ending: bool = False
