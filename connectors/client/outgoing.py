"""What goes out: persons, statement and object, put together and signed once.

Rules: a person is named by ticket, handle or introduction code and by nothing else; a part is
built once and its bytes are kept, since only the same bytes may be sent again (protocol.md
sections 2 and 5).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from datwat.protocol.acts import (
    ByHandle,
    ByIntroduction,
    ByTicket,
    PersonPart,
    PersonRef,
    Statement,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import ExchangeKey, Signer
from datwat.protocol.messages import (
    ActObject,
    ContactRequestObject,
    EvaluateObject,
    FiguresObject,
    InquiryObject,
    IntroduceObject,
    MessageObject,
    ReleaseObject,
)
from datwat.protocol.signing import SignedMessage, build_message, build_part
from datwat.protocol.ticket import TicketClass
from datwat.protocol.values import PROTOCOL_VERSION, encode_bytes, encode_moment

RID_SIZE = 16
ROUTES: Final[Mapping[str, str]] = {
    "register": "/v1/registrations",
    "end": "/v1/endings",
    "open_occasion": "/v1/occasions",
    "hand_over": "/v1/occasion-acts",
    "close_occasion": "/v1/occasion-acts",
    "record_conversation": "/v1/occasion-acts",
    "declare_special_situation": "/v1/occasion-acts",
    "record_consent": "/v1/records",
    "record_objection": "/v1/records",
    "record_authority": "/v1/records",
    "report_wrong_person": "/v1/records",
    "introduce": "/v1/introductions",
    "inquire": "/v1/inquiries",
    "request_contact": "/v1/contact-requests",
    "answer_contact": "/v1/contact-answers",
    "release": "/v1/releases",
    "open_session": "/v1/sessions",
    "end_session": "/v1/sessions",
    "access_log": "/v1/access-log",
    "access_log_proof": "/v1/access-log/proof",
    "own_involvements": "/v1/own-involvements",
    "own_wishes": "/v1/own-wishes",
    "wish": "/v1/wishes",
    "own_figures": "/v1/own-figures",
}
_OBJECTS: Final[Mapping[str, type[MessageObject]]] = {
    "introduce": IntroduceObject,
    "inquire": InquiryObject,
    "request_contact": ContactRequestObject,
    "release": ReleaseObject,
    "evaluate": EvaluateObject,
    "own_figures": FiguresObject,
}


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a message, by exactly one of BSN, handle and introduction code.

    A BSN lives here only until it is blinded. `members` are those of `PersonPart` beside `person`.
    """

    bsn: str | None = field(default=None, repr=False)
    handle: bytes | None = field(default=None, repr=False)
    code: bytes | None = field(default=None, repr=False)
    members: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse a person who is named twice, or not at all."""
        if sum(name is not None for name in (self.bsn, self.handle, self.code)) != 1:
            msg = "a person is named by exactly one of bsn, handle and code"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The look-up of one message: a gamma for each person without a handle, and the ticket."""

    gammas: tuple[bytes, ...] = field(repr=False)
    ticket: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """What an act says, before anybody is looked up: `extra` are the object's own members.

    `reply_key` opens what is released in answer.
    """

    act: str
    persons: Sequence[Person] = field(repr=False)
    statement: Statement | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reply_key: ExchangeKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed message: the bytes to send (again), and what its answer must fit.

    The `reply_key` of a release lives in memory only.
    """

    act: str
    rid: bytes
    wire: bytes = field(repr=False)
    object_bytes: bytes = field(repr=False)
    request_hash: bytes
    person_hashes: tuple[bytes, ...]
    reply_key: ExchangeKey | None = field(default=None, repr=False)

    @classmethod
    def from_wire(cls, act: str, rid: bytes, wire: bytes, person_hashes: tuple[bytes, ...]) -> Self:
        """Return a message of our own from the bytes that were recorded of it."""
        object_bytes = SignedMessage.from_bytes(wire).object
        return cls(act, rid, wire, object_bytes, _sha256(object_bytes), person_hashes)


def draw_rid() -> bytes:
    """Return a fresh id of 128 random bits."""
    return secrets.token_bytes(RID_SIZE)


def find_class(act: str) -> TicketClass:
    """Return the class of the look-up for an act (protocol.md section 4)."""
    if act == "register":
        return "register"
    return "self" if act == "open_session" else "inquire"


def build_envelope_members(
    act: str, iss: str, aud: str, iat: datetime, rid: bytes
) -> dict[str, Any]:
    """Return what every object carries, as JSON values."""
    return {
        "v": PROTOCOL_VERSION,
        "type": act,
        "iss": iss,
        "aud": aud,
        "iat": encode_moment(iat),
        "rid": encode_bytes(rid),
    }


def build_sent(
    draft: Draft,
    lookup: Lookup | None,
    *,
    envelope: Mapping[str, Any],
    rid: bytes,
    key: Signer,
) -> Sent:
    """Return the signed message of `draft`; the lookup's gammas are given out in order.

    Raises ValidationError where the members do not fit the act's object: our own fault.
    """
    gammas = iter(lookup.gammas if lookup else ())
    persons = [_build_person_part(person, gammas) for person in draft.persons]
    leading = []
    if draft.statement is not None:
        leading.append(build_part(_encode_model(draft.statement)))
    if lookup is not None:
        leading.append(build_part(lookup.ticket))
    members = {
        **envelope,
        **draft.extra,
        "has_statement": draft.statement is not None,
        "has_ticket": lookup is not None,
    }
    message = build_message(members, [*leading, *persons], key)
    _OBJECTS.get(draft.act, ActObject).model_validate_json(message.object)
    return Sent(
        act=draft.act,
        rid=rid,
        wire=message.to_bytes(),
        object_bytes=message.object,
        request_hash=_sha256(message.object),
        person_hashes=tuple(_sha256(part) for part in persons),
        reply_key=draft.reply_key,
    )


def _build_person_part(person: Person, gammas: Iterator[bytes]) -> bytes:
    reference: PersonRef
    if person.handle is not None:
        reference = ByHandle(by="handle", handle=person.handle)
    elif person.code is not None:
        reference = ByIntroduction(by="introduction", code=person.code)
    else:
        reference = ByTicket(by="ticket", gamma=next(gammas))
    return build_part(_encode_model(PersonPart(person=reference, **person.members)))


def _encode_model(model: Statement | PersonPart) -> bytes:
    return encode_canonical(model.model_dump(mode="json", exclude_none=True))


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
