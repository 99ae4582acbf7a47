"""Raw facts into the question that OPA weighs: pure, total, and without any verdict.

Rule: dates, roles, ids, bands and lengths go in as they are; what is not there is null. No text
that people wrote, no other person's facts (policies.md, "Facts are raw"). The only things computed
are a length and a part of an id. What the message itself states: `stated.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import cast

from broker.consent.models import BlockRow, ConsentRow, ObjectionRow
from broker.exchange import stated
from broker.involvement.authority import AuthorityRow
from broker.involvement.contacts import ContactFacts
from broker.involvement.involvements import Involvement
from broker.involvement.occasions import Member, Occasion
from broker.policy import evaluation as ev
from datwat.party.trust_list import Directory
from datwat.protocol.acts import Conversation, PersonPart, Statement
from datwat.protocol.messages import MessageObject
from datwat.protocol.trust import Partner
from datwat.protocol.values import derive_function

_NO_CONTACT = ContactFacts(None, None)


@dataclass(frozen=True, slots=True)
class Shown:
    """An involvement that was shown to this requester, and when."""

    involvement: Involvement
    reference: bytes = field(repr=False)
    shown_at: datetime


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the registers say that bears on one person in a message.

    `held` is the sender's current involvement of the kind that it registers, `lapsed` the one that
    its term ended where there is no current one.
    """

    occasion: Occasion | None = None
    member: Member | None = None
    conversation: Conversation | None = None
    consents: Sequence[ConsentRow] = ()
    objections: Sequence[ObjectionRow] = ()
    blocks: Sequence[BlockRow] = ()
    authorities: Sequence[AuthorityRow] = ()
    shown: Shown | None = None
    held: Involvement | None = None
    lapsed: Involvement | None = None
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
    directory: Directory,
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
        professional=stated.build_professional(statement),
        occasion=_build_occasion(facts.occasion),
        member=_build_member(facts.member, person, now),
        stated_identity=person.identity,
        stated_by=person.person.by,
        represented=facts.represented,
        told_at=person.told_at,
        conversation=stated.build_conversation(person.conversation or facts.conversation),
        consents=tuple(_build_consent(row) for row in facts.consents),
        objections=tuple(_build_objection(row) for row in facts.objections),
        blocks=tuple(_build_block(row) for row in facts.blocks),
        authorities=tuple(_build_authority(row) for row in facts.authorities),
        new_consent=stated.build_new_consent(person),
        new_authority=stated.build_new_authority(person.authority),
        registration=stated.build_registration(
            person, facts.held or facts.lapsed, inherits_own=facts.inherits_own
        ),
        opens=stated.build_opens(statement, now, inherits_own=facts.inherits_own),
        new_special_situation=stated.build_new_special(special, now),
        introduce_to=getattr(message, "to", None),
        introduce_standing=_build_standing(getattr(message, "to", None), directory),
        contact_asked_at=facts.contact.asked_at,
        contact_unanswered_since=facts.contact.unanswered_since,
        ask=stated.build_ask(message, statement, _build_involvement(facts.shown)),
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


def _build_standing(named: str | None, directory: Directory) -> ev.StandingFacts | None:
    held = directory.partners.get(named) if named is not None else None
    if held is None:
        return None
    return ev.StandingFacts(
        covenant_until=held.covenant_until, suspended=held.id in directory.closed
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
        handlers=stated.build_handlers(occasion.handlers),
        special_situation=stated.build_special(special.stated, special.declared_at)
        if special
        else None,
    )


def _build_member(
    member: Member | None, person: PersonPart, now: datetime
) -> ev.MemberFacts | None:
    if member is None:
        return stated.build_named(person, now)
    return ev.MemberFacts(
        role=member.role,
        source=member.source,
        named_at=member.named_at,
        told_at=member.told_at,
        may_look_up=member.may_look_up,
        identity=person.identity or member.identity,
        age_band=member.age_band,
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


def _build_objection(row: ObjectionRow) -> ev.ObjectionFacts:
    return ev.ObjectionFacts(purpose=row.purpose, made_at=row.made_at, state=row.state)


def _build_block(row: BlockRow) -> ev.BlockFacts:
    return ev.BlockFacts(organisation=row.organisation, since_at=row.since_at)


def _build_authority(row: AuthorityRow) -> ev.AuthorityFacts:
    return ev.AuthorityFacts(
        kind=row.kind, source=row.source, checked_at=row.checked_at, until_at=row.until_at
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
