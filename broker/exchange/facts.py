"""Raw facts into the question that OPA weighs: pure, total, and without any verdict.

Rule: dates, roles, ids, bands and lengths go in as they are; what is not there is null. No text
that people wrote, no other person's facts (policies.md, "Facts are raw"). The only things computed
are a length and a part of an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import cast

from broker.consent.models import ConsentRow, ObjectionRow
from broker.involvement.authority import AuthorityRow
from broker.involvement.contacts import ContactFacts
from broker.involvement.involvements import Involvement
from broker.involvement.occasions import Member, Occasion
from broker.policy import evaluation as ev
from datwat.protocol.acts import (
    Authority,
    Conversation,
    Handler,
    PersonPart,
    SpecialSituation,
    Statement,
)
from datwat.protocol.messages import BLADES, MessageObject, Rung
from datwat.protocol.trust import Partner
from datwat.protocol.values import derive_function

_NO_CONTACT = ContactFacts(None, None)
_RUNG_OF: dict[str, Rung] = {"release": "wat", "request_contact": "contact"}


@dataclass(frozen=True, slots=True)
class Shown:
    """An involvement that was shown to this requester, and when."""

    involvement: Involvement
    reference: bytes = field(repr=False)
    shown_at: datetime


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the registers say that bears on one person in a message.

    `held` is the sender's current involvement of the kind that it registers.
    """

    occasion: Occasion | None = None
    member: Member | None = None
    conversation: Conversation | None = None
    consents: Sequence[ConsentRow] = ()
    objections: Sequence[ObjectionRow] = ()
    authorities: Sequence[AuthorityRow] = ()
    shown: Shown | None = None
    held: Involvement | None = None
    contact: ContactFacts = _NO_CONTACT
    inherits_own: bool = False
    represented: bool = False


def build_evaluation(
    message: MessageObject,
    statement: Statement | None,
    person: PersonPart,
    facts: PersonFacts,
    *,
    partner: Partner,
    now: datetime,
) -> ev.Evaluation:
    """Return the whole question about one person."""
    purpose = getattr(message, "purpose", None)
    special = statement.special_situation if statement else None
    return ev.Evaluation(
        v=1,
        now=now,
        act=cast("ev.Act", message.type),
        purpose=purpose.id if purpose else None,
        purpose_digest=purpose.digest if purpose else None,
        requester=build_requester(partner),
        professional=_build_professional(statement),
        occasion=_build_occasion(facts.occasion),
        member=_build_member(facts.member, person, now),
        stated_identity=person.identity,
        stated_by=person.person.by,
        represented=facts.represented,
        told_at=person.told_at,
        conversation=_build_conversation(person.conversation or facts.conversation),
        consents=tuple(_build_consent(row) for row in facts.consents),
        objections=tuple(
            ev.ObjectionFacts(purpose=row.purpose, made_at=row.made_at, state=row.state)
            for row in facts.objections
        ),
        authorities=tuple(
            ev.AuthorityFacts(
                kind=row.kind, source=row.source, checked_at=row.checked_at, until_at=row.until_at
            )
            for row in facts.authorities
        ),
        new_consent=_build_new_consent(person),
        new_authority=_build_new_authority(person.authority),
        registration=_build_registration(person, facts),
        opens=_build_opens(statement, now, inherits_own=facts.inherits_own),
        new_special_situation=_build_new_special(special, now),
        introduce_to=getattr(message, "to", None),
        contact_asked_at=facts.contact.asked_at,
        contact_unanswered_since=facts.contact.unanswered_since,
        ask=_build_ask(message, statement, facts.shown),
    )


@lru_cache(maxsize=2_048)
def build_requester(partner: Partner) -> ev.RequesterFacts:
    """Return who asks, as the trust list states it."""
    return ev.RequesterFacts(
        id=partner.id,
        function=derive_function(partner.id),
        domain=partner.domain,
        enforcement=partner.enforcement,
        covenant_until=partner.covenant_until,
        bsn_rights=tuple(
            ev.BsnRightFacts(law=right.law, whose=right.whose, uses=right.uses)
            for right in partner.bsn_rights
        ),
    )


def _build_professional(statement: Statement | None) -> ev.ProfessionalFacts | None:
    if statement is None:
        return None
    return ev.ProfessionalFacts(id=statement.professional.id, role=statement.professional.role)


def _build_handlers(handlers: Iterable[Handler]) -> tuple[ev.HandlerFacts, ...]:
    return tuple(
        ev.HandlerFacts(
            professional=row.professional,
            role=row.role,
            from_at=row.from_at,
            until_at=row.until_at,
        )
        for row in handlers
    )


def _build_occasion(occasion: Occasion | None) -> ev.OccasionFacts | None:
    if occasion is None:
        return None
    held = occasion.special_situation
    special = held if held is not None and held.opened_at is None else None
    return ev.OccasionFacts(
        holder=occasion.holder,
        kind=occasion.kind,
        opened_at=occasion.opened_at,
        closed_at=occasion.closed_at,
        inform_by=occasion.inform_by,
        confidential=occasion.confidential,
        introduced_by=occasion.introduced_by,
        handlers=_build_handlers(occasion.handlers),
        special_situation=_build_special(special.stated, special.declared_at) if special else None,
    )


def _build_special(stated: SpecialSituation, declared_at: datetime) -> ev.SpecialSituationFacts:
    return ev.SpecialSituationFacts(
        ground=stated.ground,
        decider=stated.decider.id,
        declared_at=declared_at,
        until_at=stated.until_at,
        opening=stated.opening,
    )


def _build_new_special(
    stated: SpecialSituation | None, now: datetime
) -> ev.SpecialSituationFacts | None:
    return _build_special(stated, now) if stated else None


def _build_member(
    member: Member | None, person: PersonPart, now: datetime
) -> ev.MemberFacts | None:
    if member is None:
        return _build_named(person, now)
    return ev.MemberFacts(
        role=member.role,
        source=member.source,
        named_at=member.named_at,
        told_at=member.told_at,
        may_look_up=member.may_look_up,
        identity=person.identity or member.identity,
        age_band=member.age_band,
    )


def _build_named(person: PersonPart, now: datetime) -> ev.MemberFacts | None:
    """Return what an occasion that opens now states of a person whom it names."""
    if person.role is None or person.source is None or person.may_look_up is None:
        return None
    return ev.MemberFacts(
        role=person.role,
        source=person.source,
        named_at=now,
        told_at=person.told_at,
        may_look_up=person.may_look_up,
        identity=person.identity,
        age_band=person.age_band,
    )


def _build_conversation(held: Conversation | None) -> ev.ConversationFacts | None:
    if held is None:
        return None
    return ev.ConversationFacts(
        at=held.at,
        told_length=len(held.told.strip()),
        reaction=held.reaction,
        alternatives_length=len(held.alternatives.strip()),
    )


def _build_consent(row: ConsentRow) -> ev.ConsentFacts:
    return ev.ConsentFacts(
        kind=row.kind,
        purpose=row.purpose,
        product=row.product,
        fields=row.fields,
        source=row.source,
        requester=row.requester,
        given_by=row.given_by,
        written=row.written,
        given_at=row.given_at,
        until_at=row.until_at,
        withdrawn_at=row.withdrawn_at,
    )


def _build_new_consent(person: PersonPart) -> ev.ConsentFacts | None:
    """Return the consent that this act records, at a partner or as the resident's own wish."""
    stated = person.consent or (person.wish.consent if person.wish else None)
    if stated is None:
        return None
    return ev.ConsentFacts.model_validate({**stated.model_dump(), "withdrawn_at": None})


def _build_new_authority(stated: Authority | None) -> ev.AuthorityFacts | None:
    if stated is None:
        return None
    return ev.AuthorityFacts(
        kind=stated.kind,
        source=stated.source,
        checked_at=stated.checked_at,
        until_at=stated.until_at,
    )


def _build_registration(person: PersonPart, facts: PersonFacts) -> ev.RegistrationFacts | None:
    stated = person.registers
    if stated is None:
        return None
    # To register again is no way to tell what was for the person alone.
    keeps_own = facts.held is not None and facts.held.confidential
    return ev.RegistrationFacts(
        kind=stated.kind,
        since_at=stated.since_at,
        shielded=stated.shielded,
        confidential=stated.confidential or facts.inherits_own or keeps_own,
    )


def _build_opens(
    statement: Statement | None, now: datetime, *, inherits_own: bool
) -> ev.OpensFacts | None:
    stated = statement.opens if statement else None
    if stated is None:
        return None
    return ev.OpensFacts(
        kind=stated.kind,
        handlers=_build_handlers(stated.handlers),
        confidential=stated.confidential or inherits_own,
        inform_by=stated.inform_by,
        special_situation=_build_new_special(stated.special_situation, now),
    )


def _build_ask(message: MessageObject, statement: Statement | None, shown: Shown | None) -> ev.Ask:
    source = getattr(message, "source", None)
    motivation = statement.motivation if statement else None
    return ev.Ask(
        rung=getattr(message, "rung", None) or _RUNG_OF.get(message.type, "none"),
        source=source,
        source_function=derive_function(source) if source else None,
        product=getattr(message, "product", None),
        fields=getattr(message, "fields", ()),
        motivation_length={
            blade: len(getattr(motivation, blade).strip()) if motivation else 0 for blade in BLADES
        },
        involvement=_build_involvement(shown),
    )


def _build_involvement(shown: Shown | None) -> ev.InvolvementFacts | None:
    if shown is None:
        return None
    held = shown.involvement
    return ev.InvolvementFacts(
        source=held.source,
        function=held.function,
        kind=held.kind,
        shielded=held.shielded,
        since_at=held.since_at,
        expires_at=held.expires_at,
        ended_at=held.ended_at,
        shown_at=shown.shown_at,
    )
