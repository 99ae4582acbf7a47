"""A question that is weighed and nothing more: for systems that ask for a decision (AuthZEN).

Rules: it lives through the same six steps as a signed question, so that its verdict is the same
and the resident reads of it; what the act itself would show, give or keep is left out. An order
cannot come of it. Source: AuthZEN Authorization API 1.0; docs/decisions/0020.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from broker.exchange.admission import PORTAL_ACTS
from broker.exchange.errors import ActNotAllowedError
from broker.exchange.members import MEMBERS
from broker.exchange.question import Prepared, PreparedChunk, Question, write_nothing
from datwat.protocol.acts import PersonPart, Statement
from datwat.protocol.answers import ActPart, AnswerPart, InquiryPart
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.messages import MessageObject
from datwat.protocol.signing import build_part
from datwat.protocol.trust import Partner

WEIGHED: dict[str, str] = {"contact": "request_contact", "category": "inquire", "dat": "inquire"}
_RELEASE = "release"


def find_act(rung: str) -> str:
    """Return the act that asks for a rung."""
    return WEIGHED.get(rung, _RELEASE)


def build_weighed_question(
    message: MessageObject,
    partner: Partner,
    statement: Statement | None,
    person: PersonPart,
    now: datetime,
) -> Question:
    """Return a question of a partner that is only weighed.

    Its parts carry what a signed one of the same act carries, by handle.

    Raises:
        ActNotAllowedError: of a portal. MemberNotAllowedError, MemberMissingError.
    """
    if any("self" in right.uses for right in partner.bsn_rights) or message.type in PORTAL_ACTS:
        raise ActNotAllowedError
    MEMBERS[message.type].require(statement, (person,))
    parts = [_build_part(part) for part in (statement, person) if part is not None]
    digests = tuple(hashlib.sha256(part).digest() for part in parts)
    named = message.model_copy(
        update={"parts": digests, "has_statement": statement is not None, "has_ticket": False}
    )
    raw = encode_canonical(named.model_dump(mode="json", exclude_none=True))
    return Question(
        object=named,
        message=None,
        request_hash=hashlib.sha256(raw).digest(),
        partner=partner,
        is_portal=False,
        statement=statement,
        persons=(person,),
        person_hashes=digests[-1:],
        ticket=None,
        now=now.replace(microsecond=0),
        weighs_only=True,
    )


def leave_out(chunk: PreparedChunk) -> PreparedChunk:
    """Return what an act prepared without anything that it would show, give or write."""
    return PreparedChunk([_leave_out(item) for item in chunk.items], write_nothing)


def _leave_out(prepared: Prepared) -> Prepared:
    return replace(
        prepared,
        part=_strip(prepared.part),
        pointers=(),
        fields=(),
        detail=None,
        orders=None,
        ordered_by=None,
    )


def _strip(part: AnswerPart) -> AnswerPart:
    if isinstance(part, InquiryPart):
        return part.model_copy(update={"pointers": ()})
    if isinstance(part, ActPart):
        return part.model_copy(update={"contact_request": None, "state": "weighed"})
    return part


def _build_part(part: Statement | PersonPart) -> bytes:
    content = encode_canonical(part.model_dump(mode="json", exclude_none=True))
    return build_part(content)
