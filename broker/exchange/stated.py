"""What a message itself states, as raw facts: the half of the question that no register holds.

Rules: those of `facts.py`. Source: protocol.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from broker.involvement.involvements import Involvement
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
from datwat.protocol.values import derive_function

_RUNG_OF: dict[str, Rung] = {"release": "wat", "request_contact": "contact"}


def build_professional(statement: Statement | None) -> ev.ProfessionalFacts | None:
    """Return who asks, by id and role."""
    if statement is None:
        return None
    return ev.ProfessionalFacts(id=statement.professional.id, role=statement.professional.role)


def build_named(person: PersonPart, now: datetime) -> ev.MemberFacts | None:
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


def build_conversation(held: Conversation | None) -> ev.ConversationFacts | None:
    """Return how a conversation went: lengths of what was told, never the words."""
    if held is None:
        return None
    return ev.ConversationFacts(
        at=held.at,
        told_length=len(held.told.strip()),
        reaction=held.reaction,
        alternatives_length=len(held.alternatives.strip()),
    )


def build_new_consent(person: PersonPart) -> ev.ConsentFacts | None:
    """Return the consent that this act records, at a partner or as the resident's own wish."""
    stated = person.consent or (person.wish.consent if person.wish else None)
    if stated is None:
        return None
    return ev.ConsentFacts.model_validate({**stated.model_dump(), "withdrawn_at": None})


def build_new_authority(stated: Authority | None) -> ev.AuthorityFacts | None:
    """Return the authority that this act records."""
    if stated is None:
        return None
    return ev.AuthorityFacts(
        kind=stated.kind,
        source=stated.source,
        checked_at=stated.checked_at,
        until_at=stated.until_at,
    )


def build_registration(
    person: PersonPart, earlier: Involvement | None, *, inherits_own: bool
) -> ev.RegistrationFacts | None:
    """Return what is registered; `earlier` is the sender's own of this kind, current or lapsed."""
    stated = person.registers
    if stated is None:
        return None
    # To register again, late or not, is no way to tell what was for the person alone.
    keeps_own = earlier is not None and earlier.confidential
    return ev.RegistrationFacts(
        kind=stated.kind,
        since_at=stated.since_at,
        shielded=stated.shielded,
        confidential=stated.confidential or inherits_own or keeps_own,
    )


def build_opens(
    statement: Statement | None, now: datetime, *, inherits_own: bool
) -> ev.OpensFacts | None:
    """Return the occasion that this act opens."""
    stated = statement.opens if statement else None
    if stated is None:
        return None
    return ev.OpensFacts(
        kind=stated.kind,
        handlers=build_handlers(stated.handlers),
        confidential=stated.confidential or inherits_own,
        inform_by=stated.inform_by,
        special_situation=build_new_special(stated.special_situation, now),
    )


def build_ask(
    message: MessageObject, statement: Statement | None, shown: ev.InvolvementFacts | None
) -> ev.Ask:
    """Return what is asked for; `shown` is the involvement that it rests on."""
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
        involvement=shown,
    )


def build_handlers(handlers: Iterable[Handler]) -> tuple[ev.HandlerFacts, ...]:
    """Return who handles an occasion, and from when until when."""
    return tuple(
        ev.HandlerFacts(
            professional=row.professional,
            role=row.role,
            from_at=row.from_at,
            until_at=row.until_at,
        )
        for row in handlers
    )


def build_special(stated: SpecialSituation, declared_at: datetime) -> ev.SpecialSituationFacts:
    """Return a special situation without its reason."""
    return ev.SpecialSituationFacts(
        ground=stated.ground,
        decider=stated.decider.id,
        declared_at=declared_at,
        until_at=stated.until_at,
        opening=stated.opening,
    )


def build_new_special(
    stated: SpecialSituation | None, now: datetime
) -> ev.SpecialSituationFacts | None:
    """Return the special situation that this act declares."""
    return build_special(stated, now) if stated else None
