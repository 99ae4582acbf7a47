"""What a partner says in the parts of a message: the statement, and one part per person.

These parts reach the broker and nobody else: a source never sees an occasion, a motivation or a
reference of another partner. Everything here is *stated*: a fact that the requester answers for.
Sources: AVG 5, 13-14, 21; Jeugdwet 7.3.11; Wmo 2015 5.3.3 (see docs/reference/protocol.md).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from datwat.protocol.values import (
    Bytes16,
    Bytes32,
    Moment,
    PartyId,
    PlainText,
    Quarter,
    ShortText,
    Slug,
    StaffId,
    Value,
)

AgeBand = Literal["0-11", "12-15", "16-17", "18+"]
Identity = Literal["document", "register", "stated"]
Reaction = Literal["agrees", "objects", "none", "not_told"]


class ByTicket(Value):
    """A person for whom the partner has no handle yet: the unblinded point of the look-up."""

    by: Literal["ticket"]
    gamma: Bytes32 = Field(repr=False)


class ByHandle(Value):
    """A person by the handle that the broker gave this partner."""

    by: Literal["handle"]
    handle: Bytes16 = Field(repr=False)


class ByIntroduction(Value):
    """A person by a one-time code that another partner handed over."""

    by: Literal["introduction"]
    code: Bytes16 = Field(repr=False)


PersonRef = Annotated[ByTicket | ByHandle | ByIntroduction, Field(discriminator="by")]


class Professional(Value):
    """Who acts, as the partner's own login knows them; the resident sees the role only."""

    id: StaffId = Field(repr=False)
    role: ShortText


class Contact(Value):
    """How to reach a partner about a person: a role's address first, a name only beside it."""

    role: ShortText
    name: ShortText | None = None
    phone: ShortText | None = None
    email: ShortText | None = None


class Handler(Value):
    """Somebody who works on an occasion, from and until when."""

    professional: StaffId = Field(repr=False)
    role: Literal["coordinator", "second", "replacement", "consulted"]
    from_at: Moment
    until_at: Moment | None = None


class SpecialSituation(Value):
    """Why the resident is told later (AVG 23, UAVG 41): ground, decider, term, and how it opens."""

    ground: Slug
    decider: Professional
    until_at: Moment
    opening: Literal["automatic", "by_person"]
    reason: PlainText = Field(repr=False)


class Motivation(Value):
    """For *wat*: the professional's reasons, one per blade, shown to the resident."""

    purpose: PlainText = ""
    subsidiarity: PlainText = ""
    proportionality: PlainText = ""
    efficiency: PlainText = ""
    transparency: PlainText = ""


class OccasionStatement(Value):
    """What a question rests on, as its holder opens it.

    `confidential`: everything that rests on it goes into the persons' `own` chains (Veilig Thuis,
    confidential youth contact). `inform_by` is the date to tell the resident where no help request
    leads.
    """

    kind: Literal["help_request", "report", "signal", "statutory_task", "crisis"]
    team: ShortText
    handlers: tuple[Handler, ...] = Field(min_length=1, max_length=20)
    confidential: bool = False
    inform_by: Moment | None = None
    special_situation: SpecialSituation | None = None


class Statement(Value):
    """The common statement: who acts, on which occasion, and what goes with the act.

    Members that an act does not use are None; the broker refuses those that do not belong.
    `internal_reason` is read by replay and the reviewing officer only, never by the resident.
    """

    professional: Professional
    occasion: Bytes16 | None = Field(default=None, repr=False)
    opens: OccasionStatement | None = None
    handlers: tuple[Handler, ...] | None = Field(default=None, max_length=20)
    closes: CloseOccasion | None = None
    special_situation: SpecialSituation | None = None
    motivation: Motivation | None = None
    call_back: Contact | None = None
    internal_reason: PlainText | None = Field(default=None, repr=False)


class CloseOccasion(Value):
    """Why and how an occasion ends; closing ends the right to ask."""

    reason: Literal["completed", "withdrawn", "moved", "died", "handed_over", "not_needed"]
    goals_reached: Literal["yes", "partly", "no", "unknown"]
    plan_made: bool


class Conversation(Value):
    """That a person was told: what, with whom, when, how they reacted, which alternatives."""

    at: Moment
    told: PlainText
    reaction: Reaction
    alternatives: PlainText


class Consent(Value):
    """A consent or written no-objection in the form that the law of the purpose asks.

    None for `product`, `source` or `requester` means: all within the purpose.
    """

    kind: Literal["explicit", "no_objection"]
    purpose: Slug
    product: Slug | None = None
    fields: tuple[str, ...] = Field(default=(), max_length=64)
    source: PartyId | None = None
    requester: PartyId | None = None
    given_by: Literal["self", "representative", "both"]
    written: bool
    given_at: Moment
    until_at: Moment


class Objection(Value):
    """An objection under AVG 21; None for `purpose` means every purpose that allows it."""

    purpose: Slug | None = None
    reason: PlainText = Field(default="", repr=False)
    made_at: Moment


class Authority(Value):
    """Who has authority over a child or adult, how it was checked, and until when it holds."""

    kind: Literal[
        "both_parents",
        "one_parent",
        "parent_without",
        "guardian",
        "curator",
        "mentor",
        "disagreement",
    ]
    scope: PlainText
    source: Literal["document", "register", "stated"]
    checked_at: Moment
    until_at: Moment


class PersonPart(Value):
    """One person in a message: who, what is stated about them, and what the act says of them.

    `involvement` and `contact_request` are the sender's own references. Members that an act does
    not use are absent; the broker refuses those that do not belong.
    """

    person: PersonRef
    role: Slug | None = None
    source: Literal["told", "register", "observed"] | None = None
    told_at: Moment | None = None
    may_look_up: bool | None = None
    identity: Identity | None = None
    age_band: AgeBand | None = None
    involvement: Bytes16 | None = Field(default=None, repr=False)
    contact_request: Bytes16 | None = Field(default=None, repr=False)
    registers: Registration | None = None
    ends: Literal["ended", "entered_in_error", "superseded", "died", "moved"] | None = None
    conversation: Conversation | None = None
    consent: Consent | None = None
    objection: Objection | None = None
    authority: Authority | None = None
    contact_state: Literal["seen", "answered"] | None = None
    wish: Wish | None = None
    desk: DeskVisit | None = None
    page: Page | None = None
    proof: ProofRequest | None = None


class Registration(Value):
    """An involvement as its source states it; the broker fixes the expiry by kind."""

    kind: Slug
    contact: Contact
    since_at: Moment
    shielded: bool = False
    confidential: bool = False


class Question(Value):
    """What a resident asks an organisation, or the officer where `to` is None.

    `about` is the number of the card in their log that it is about.
    """

    to: PartyId | None = None
    text: PlainText = Field(min_length=1, repr=False)
    about: int | None = Field(default=None, ge=0)


class Wish(Value):
    """What a resident asks at the portal; everything but a question has its effect at once.

    `withdraws` is the number of the consent (the index of its entry in the log), `erases` that of
    the card whose contents are to be destroyed (AVG 17): an officer answers it. `blocks` names the
    organisation that may not look (AVG 21); `shields` asks for a shielded address (AVG 18, 25);
    `lifts` is the number of the objection, block or shield that is taken back.
    """

    consent: Consent | None = None
    withdraws: int | None = Field(default=None, ge=0)
    erases: int | None = Field(default=None, ge=0)
    objection: Objection | None = None
    asks: Question | None = None
    blocks: PartyId | None = None
    shields: Literal[True] | None = None
    lifts: int | None = Field(default=None, ge=0)


class DeskVisit(Value):
    """That the person stood at a counter of the portal's organisation, without a login.

    Two employees saw to it, each in a role; the resident reads both roles and the reason. No
    resident can state this: it is no member of a `Wish`. `copy_given`: a print of their log.
    """

    role: ShortText
    second_role: ShortText
    reason: PlainText = Field(min_length=10, repr=False)
    copy_given: bool = False


class Page(Value):
    """Which page of a list: `before` is the opaque, authenticated cursor of the previous page.

    With `number` the page is the one card on which that entry stands, and nothing else is read.
    """

    limit: int = Field(default=25, ge=1, le=100)
    before: str | None = Field(default=None, max_length=256)
    number: int | None = Field(default=None, ge=0, lt=2**53)


class ProofRequest(Value):
    """Of which quarters a completeness bundle is wanted; none: since the first visible entry."""

    quarters: tuple[Quarter, ...] = Field(default=(), max_length=40)


for _model in (Statement, PersonPart):
    _model.model_rebuild()
