"""An AuthZEN question in the broker's own words: what a signed message would ask. Pure.

Rules: nothing is decided here; a rung becomes the act that asks for it, and whose facts count is
kept apart: a handle leads to the registers, what is stated stays with the request. No text that
holds a citizen service number goes further (promise 1).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.api.authzen_models import EvaluationRequest, StatedFacts
from broker.exchange.facts import PersonFacts, build_evaluation
from broker.exchange.members import MEMBERS
from broker.exchange.weighing import find_act
from broker.policy.evaluation import Evaluation
from datwat.party.problems import InputInvalidError
from datwat.party.trust_list import Directory
from datwat.protocol.acts import ByHandle, PersonPart
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.free_text import has_number
from datwat.protocol.messages import (
    ContactRequestObject,
    InquiryObject,
    MessageObject,
    PurposeRef,
    ReleaseObject,
)
from datwat.protocol.trust import Partner

_CLOCKS_APART = timedelta(minutes=5)
# What has a form of its own, in which digits mean nothing.
_OF_A_FORM = frozenset(
    {"digest", "traceparent", "handle", "involvement", "occasion", "processing_activity_id"}
)
_NO_DIGEST = "0" * 64
_NO_KEY = bytes(32)
_NO_HANDLE = ByHandle(by="handle", handle=bytes(16))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request read for one partner: its message, as nobody signed it."""

    request: EvaluationRequest
    message: MessageObject
    partner: Partner


def build_asked(
    request: EvaluationRequest,
    *,
    partner: Partner,
    broker: str,
    catalogue: CatalogueView,
    now: datetime,
) -> Asked:
    """Return the message that asks the same; raise InputInvalidError where something is missing."""
    context = request.context
    if request.subject.id != partner.id:
        raise InputInvalidError("The subject must be the partner of the token.", place="subject.id")
    if context.time is not None and abs(context.time - now) > _CLOCKS_APART:
        raise InputInvalidError(
            "The time is not of now: check the clocks, or leave it out.", place="context.time"
        )
    if (context.person is None) == (context.facts is None):
        raise InputInvalidError(
            "Name either a person by handle (context.person) or the facts (context.facts).",
            place="context",
        )
    members: dict[str, Any] = {
        "v": 1,
        "iss": partner.id,
        "aud": broker,
        "iat": now,
        "rid": os.urandom(16),
        "purpose": _find_purpose(request, catalogue, now),
    }
    return Asked(request, _build_message(request, members), partner)


def build_person(asked: Asked) -> PersonPart:
    """Return the person of a question by handle, as a signed one names it."""
    held = asked.request.context.person
    assert held is not None  # noqa: S101 - `build_asked` saw to it
    return PersonPart(person=held.person, identity=held.identity, involvement=held.involvement)


def build_stated(asked: Asked, directory: Directory, now: datetime) -> Evaluation:
    """Return what OPA is asked where the caller states the facts.

    Raises MemberNotAllowedError, MemberMissingError: as for a signed question.
    """
    context = asked.request.context
    facts = context.facts or StatedFacts()
    person = PersonPart(person=_NO_HANDLE)
    MEMBERS[asked.message.type].require(context.statement, (person,))
    empty = build_evaluation(
        asked.message,
        context.statement,
        person,
        PersonFacts(),
        partner=asked.partner,
        directory=directory,
        now=now.replace(microsecond=0),
    )
    return empty.model_copy(
        update={
            "occasion": facts.occasion,
            "member": facts.member,
            "stated_identity": facts.identity,
            "told_at": facts.told_at,
            "represented": facts.represented,
            "conversation": facts.conversation,
            "consents": facts.consents,
            "objections": facts.objections,
            "blocks": facts.blocks,
            "authorities": facts.authorities,
            "ask": empty.ask.model_copy(update={"involvement": facts.involvement}),
        }
    )


def require_no_number(members: object) -> None:
    """Raise InputInvalidError where a text of a request may hold a citizen service number."""
    if any(has_number(text) for text in _list_texts(members)):
        raise InputInvalidError(
            "A text holds what may be a citizen service number: leave it out.", place="$"
        )


def _list_texts(members: object) -> Iterator[str]:
    match members:
        case str():
            yield members
        case list():
            for one in members:
                yield from _list_texts(one)
        case dict():
            for name, one in members.items():
                yield name
                if not (name in _OF_A_FORM and isinstance(one, str)):
                    yield from _list_texts(one)


def _find_purpose(
    request: EvaluationRequest, catalogue: CatalogueView, now: datetime
) -> PurposeRef:
    """Return the purpose at the revision that is named, or that is in force; Rego judges it."""
    held = catalogue.find_revision(request.resource.id, now)
    digest = request.resource.properties.digest or (held.digest if held else _NO_DIGEST)
    return PurposeRef(id=request.resource.id, digest=digest)


def _build_message(request: EvaluationRequest, members: dict[str, Any]) -> MessageObject:
    asked, rung = request.resource.properties, request.action.name
    act = find_act(rung)
    needed = {"release": ("source", "product", "fields"), "request_contact": ("source",)}
    for name in ("source", "product", "fields"):
        if bool(getattr(asked, name)) != (name in needed.get(act, ())):
            what = "is missing at" if name in needed.get(act, ()) else "does not belong to"
            raise InputInvalidError(
                f"This member {what} the rung that is asked.", place=f"resource.properties.{name}"
            )
    if act == "inquire":
        return InquiryObject.model_validate({**members, "type": act, "rung": rung})
    members |= {"type": act, "source": asked.source}
    if act == "request_contact":
        return ContactRequestObject.model_validate(members)
    given = {"product": asked.product, "fields": asked.fields, "reply_key": _NO_KEY}
    return ReleaseObject.model_validate(members | given)
