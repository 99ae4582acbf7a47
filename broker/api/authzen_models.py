"""The wire form of the AuthZEN Authorization API 1.0, as far as this broker weighs by it.

Rule: what is not weighed is not taken: a member that is unknown here is refused, so that nobody
believes that it counted. `subject` is who asks (a partner), never the resident. The person, if one
is named, is known by the partner's own handle; without one the facts are those that are stated.
Sources: AuthZEN Authorization API 1.0 sections 5 to 7; its NL GOV profile (time, traceparent,
processing_activity_id).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from broker.policy import evaluation as ev
from datwat.protocol.acts import ByHandle, Identity, Statement
from datwat.protocol.messages import Digest, FieldPath
from datwat.protocol.values import Bytes16, Moment, PartyId, Slug, Value

MOST_EVALUATIONS = 50
AskedRung = Literal["contact", "category", "dat", "wat"]
Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
_ACTIVITY = r"^([a-z]{1,10}:[^\s?#]{0,200})?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class Nothing(Value):
    """An object without members."""


class Subject(Value):
    """Who asks: the partner for which the client's token stands."""

    type: Literal["partner"]
    id: PartyId
    properties: Nothing = Nothing()


class ActionProperties(Value):
    """For which processing activity; for the caller's own log."""

    processing_activity_id: Annotated[str, Field(pattern=_ACTIVITY)] | None = None


class Action(Value):
    """How much is asked: the rung of the ladder."""

    name: AskedRung
    properties: ActionProperties = ActionProperties()


class ResourceProperties(Value):
    """Of whom and what; `digest` names a revision, else the one in force is meant.

    At `wat`: source, product and fields; at `contact`: the source.
    """

    digest: Digest | None = None
    source: PartyId | None = None
    product: Slug | None = None
    fields: tuple[FieldPath, ...] = Field(default=(), max_length=64)


class Resource(Value):
    """For which registered purpose."""

    type: Literal["purpose"]
    id: Slug
    properties: ResourceProperties = ResourceProperties()


class KnownPerson(Value):
    """A person by the partner's handle; `involvement` is the partner's own reference to it."""

    person: ByHandle
    identity: Identity | None = None
    involvement: Bytes16 | None = Field(default=None, repr=False)


class StatedFacts(Value):
    """Facts that the caller answers for, in the words of the question that OPA weighs."""

    occasion: ev.OccasionFacts | None = None
    member: ev.MemberFacts | None = None
    identity: Identity | None = None
    told_at: Moment | None = None
    represented: bool = False
    conversation: ev.ConversationFacts | None = None
    consents: tuple[ev.ConsentFacts, ...] = Field(default=(), max_length=200)
    objections: tuple[ev.ObjectionFacts, ...] = Field(default=(), max_length=200)
    blocks: tuple[ev.BlockFacts, ...] = Field(default=(), max_length=200)
    authorities: tuple[ev.AuthorityFacts, ...] = Field(default=(), max_length=200)
    involvement: ev.InvolvementFacts | None = None


class Context(Value):
    """What a question rests on: who acts, and either a known person or stated facts."""

    time: Moment | None = None
    traceparent: Annotated[str, Field(pattern=r"^[0-9a-f-]{55}$")] | None = None
    statement: Statement | None = None
    person: KnownPerson | None = None
    facts: StatedFacts | None = None


class EvaluationRequest(Value):
    """One question (section 5)."""

    subject: Subject
    action: Action
    resource: Resource
    context: Context = Context()


class EvaluationsOptions(Value):
    """How several questions are answered (section 6.1.2)."""

    evaluations_semantic: Semantic = "execute_all"


class EvaluationsItem(Value):
    """One of several questions; what it leaves out is said once for all."""

    subject: Subject | None = None
    action: Action | None = None
    resource: Resource | None = None
    context: Context | None = None


class EvaluationsRequest(EvaluationsItem):
    """Several questions, with what they share beside them (section 6.1)."""

    evaluations: tuple[EvaluationsItem, ...] = Field(default=(), max_length=MOST_EVALUATIONS)
    options: EvaluationsOptions = EvaluationsOptions()


class EvaluationAnswer(BaseModel):
    """A decision, with what explains it and what goes with it (section 5.5)."""

    decision: bool
    context: dict[str, Any]


class EvaluationsAnswer(BaseModel):
    """The decisions in the order of the questions, up to the one that ended it."""

    evaluations: list[EvaluationAnswer]
