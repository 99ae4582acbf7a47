"""The question put to OPA, once per person: raw facts only, every member present.

No verdict is computed here: dates, roles, ids, bands and lengths go in as they are, and Rego weighs
them. A fact that is not there is null, and every missing fact denies (policies/). Texts that people
wrote stay out; only their length goes in. The clock is `now`. The same JSON, sealed, is what replay
reads.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from datwat.protocol.acts import AgeBand, Identity, Reaction
from datwat.protocol.messages import FieldPath, Rung
from datwat.protocol.values import Moment, PartyId, ShortText, Slug, StaffId, Value

Act = Literal[
    "register", "end", "open_occasion", "hand_over", "close_occasion", "record_conversation",
    "record_consent", "record_objection", "record_authority", "declare_special_situation",
    "introduce", "inquire", "request_contact", "answer_contact", "release", "report_wrong_person",
    "open_session", "wish",
]  # fmt: skip


class BsnRightFacts(Value):
    """A right to use the BSN, as the trust list states it."""

    law: ShortText
    whose: Slug
    uses: tuple[str, ...]


class RequesterFacts(Value):
    """Who asks, from the trust list; `function` is the part of the id after the colon."""

    id: PartyId
    function: str
    domain: Slug
    enforcement: bool
    covenant_until: Moment
    bsn_rights: tuple[BsnRightFacts, ...]


class ProfessionalFacts(Value):
    """Who acts at the requester."""

    id: StaffId
    role: ShortText


class HandlerFacts(Value):
    """Who handles the occasion, from and until when."""

    professional: StaffId
    role: str
    from_at: Moment
    until_at: Moment | None


class SpecialSituationFacts(Value):
    """A ground for telling later, its term, and who decided."""

    ground: Slug
    decider: StaffId
    declared_at: Moment
    until_at: Moment
    opening: Literal["automatic", "by_person"]


class OccasionFacts(Value):
    """The occasion cited; null in the evaluation where it is absent or not this partner's."""

    holder: PartyId
    kind: str
    opened_at: Moment
    closed_at: Moment | None
    inform_by: Moment | None
    confidential: bool
    introduced_by: PartyId | None
    handlers: tuple[HandlerFacts, ...]
    special_situation: SpecialSituationFacts | None


class ConversationFacts(Value):
    """The newest conversation with the person that is recorded on the occasion."""

    at: Moment
    told_length: int
    reaction: Reaction
    alternatives_length: int


class MemberFacts(Value):
    """The person as a member of the occasion's household; null where not named in the occasion."""

    role: Slug
    source: Literal["told", "register", "observed"]
    named_at: Moment
    told_at: Moment | None
    may_look_up: bool
    identity: Identity | None
    age_band: AgeBand | None


class ConsentFacts(Value):
    """A consent or written no-objection about this person."""

    kind: Literal["explicit", "no_objection"]
    purpose: Slug
    product: Slug | None
    fields: tuple[str, ...]
    source: PartyId | None
    requester: PartyId | None
    given_by: Literal["self", "representative", "both"]
    written: bool
    given_at: Moment
    until_at: Moment
    withdrawn_at: Moment | None


class ObjectionFacts(Value):
    """An objection of this person (AVG 21)."""

    purpose: Slug | None
    made_at: Moment
    state: Literal["open", "upheld", "rejected"]


class BlockFacts(Value):
    """An organisation that this person does not want to look."""

    organisation: PartyId
    since_at: Moment


class AuthorityFacts(Value):
    """A record of authority over this person."""

    kind: str
    source: str
    checked_at: Moment
    until_at: Moment


class InvolvementFacts(Value):
    """The involvement cited, if it was shown to this requester and is this person's."""

    source: PartyId
    function: str
    kind: Slug
    shielded: bool
    since_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    shown_at: Moment


class RegistrationFacts(Value):
    """What a registration states."""

    kind: Slug
    since_at: Moment
    shielded: bool
    confidential: bool


class OpensFacts(Value):
    """What the opening of an occasion states."""

    kind: str
    handlers: tuple[HandlerFacts, ...]
    confidential: bool
    inform_by: Moment | None
    special_situation: SpecialSituationFacts | None


class StandingFacts(Value):
    """How a partner stands that is named: until when it takes part, and whether it is closed here.

    Null in the evaluation where nobody is named, and where the trust list has no such partner.
    """

    covenant_until: Moment
    suspended: bool


class Ask(Value):
    """What is asked: for which rung, of whom, which product and fields."""

    rung: Rung
    source: PartyId | None
    source_function: str | None
    product: Slug | None
    fields: tuple[FieldPath, ...]
    motivation_length: dict[str, int]
    involvement: InvolvementFacts | None


class Evaluation(Value):
    """The whole question about one person; total: what an act does not use is null or empty."""

    v: Literal[1]
    now: Moment
    act: Act
    purpose: Slug | None
    purpose_digest: str | None
    requester: RequesterFacts
    professional: ProfessionalFacts | None
    occasion: OccasionFacts | None
    member: MemberFacts | None
    stated_identity: Identity | None
    stated_by: Literal["ticket", "handle", "introduction"]
    represented: bool
    told_at: Moment | None
    conversation: ConversationFacts | None
    consents: tuple[ConsentFacts, ...]
    objections: tuple[ObjectionFacts, ...]
    blocks: tuple[BlockFacts, ...]
    authorities: tuple[AuthorityFacts, ...]
    new_consent: ConsentFacts | None
    new_authority: AuthorityFacts | None
    registration: RegistrationFacts | None
    opens: OpensFacts | None
    new_special_situation: SpecialSituationFacts | None
    introduce_to: PartyId | None
    introduce_standing: StandingFacts | None
    contact_asked_at: Moment | None
    contact_unanswered_since: Moment | None
    ask: Ask

    @cached_property
    def as_json(self) -> bytes:
        """The question as OPA reads it and as replay keeps it, written once."""
        return self.model_dump_json().encode()
