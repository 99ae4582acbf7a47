"""Step 1, admit: from a message that is heard to a question that can be gathered.

Rules: the parts are read strictly and in their order (statement, ticket, persons); only members
that belong; a portal sends a portal's acts and nobody else does; so many messages per partner and
second. Refused here: a problem, and nothing about a person is written (protocol.md section 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from broker.exchange.errors import ActNotAllowedError, RateLimitedError, TicketMissingError
from broker.exchange.members import CHUNK, MEMBERS
from broker.exchange.question import Question
from datwat.party.http_in import Admitted, ObjectT
from datwat.party.problems import InputInvalidError
from datwat.party.trust_list import IssuerUnknownError
from datwat.protocol.acts import PersonPart, Statement
from datwat.protocol.canonical import decode_canonical
from datwat.protocol.signing import MessagePartsError, part_content
from datwat.protocol.trust import Partner

PORTAL_ACTS = frozenset(
    {
        "open_session", "end_session", "access_log", "access_log_proof", "own_involvements",
        "own_wishes", "wish",
    }
)  # fmt: skip
_ModelT = TypeVar("_ModelT", bound=BaseModel)


class RateLimiter:
    """A bucket per partner: `burst` messages at once, `per_second` in the long run.

    `count_processes`: among how many that is divided; each takes its part of the messages.
    """

    def __init__(
        self, per_second: float, burst: int, count_processes: Callable[[], int] = lambda: 1
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._count_processes = count_processes
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, partner: str, now: datetime) -> None:
        """Take one message from the partner's bucket; raise RateLimitedError where it is empty."""
        moment, count = now.timestamp(), max(1, self._count_processes())
        burst, per_second = self._burst / count, self._per_second / count
        left, since = self._buckets.get(partner, (burst, moment))
        left = min(burst, left + max(0.0, moment - since) * per_second)
        if left < 1:
            raise RateLimitedError
        self._buckets[partner] = (left - 1, moment)


def read_question(admitted: Admitted[ObjectT], now: datetime) -> Question:
    """Return the question in an admitted message.

    Raises:
        IssuerUnknownError: not a partner. ActNotAllowedError: not this partner's kind of act.
        MessagePartsError, CanonicalError, InputInvalidError: the parts cannot be read.
        MemberNotAllowedError, MemberMissingError, PersonCountError, TicketMissingError.
    """
    partner = admitted.issuer.partner
    if partner is None:
        raise IssuerUnknownError
    message = admitted.object
    is_portal = _is_portal(partner)
    if is_portal != (message.type in PORTAL_ACTS):
        raise ActNotAllowedError
    parts = list(admitted.parts)
    statement = ticket = None
    if message.has_statement:
        statement = _read_part(_pop(parts), Statement, "statement")
    if message.has_ticket:
        ticket = part_content(_pop(parts))
    persons = tuple(
        _read_part(part, PersonPart, f"persons[{number}]") for number, part in enumerate(parts)
    )
    MEMBERS[message.type].require(statement, persons)
    _require_ticket(persons, ticket)
    return Question(
        object=message,
        message=admitted.message,
        request_hash=admitted.request_hash,
        partner=partner,
        is_portal=is_portal,
        statement=statement,
        persons=persons,
        person_hashes=tuple(hashlib.sha256(part).digest() for part in parts),
        ticket=ticket,
        now=now.replace(microsecond=0),
    )


def split_chunks(question: Question) -> Sequence[range]:
    """Return the persons of a message in chunks of at most 32, between which other work passes."""
    count = len(question.persons)
    return [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]


def count_tickets(persons: Sequence[PersonPart]) -> int:
    """Return how many persons come by ticket: its number of elements."""
    return sum(person.person.by == "ticket" for person in persons)


def _is_portal(partner: Partner) -> bool:
    return any("self" in right.uses for right in partner.bsn_rights)


def _pop(parts: list[bytes]) -> bytes:
    if not parts:
        raise MessagePartsError
    return parts.pop(0)


def _read_part(part: bytes, model: type[_ModelT], place: str) -> _ModelT:
    content = part_content(part)
    decode_canonical(content)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        found = InputInvalidError.from_validation(error)
        raise InputInvalidError(found.detail, place=f"{place}{(found.place or '$')[1:]}") from None


def _require_ticket(persons: Sequence[PersonPart], ticket: bytes | None) -> None:
    if bool(count_tickets(persons)) != (ticket is not None):
        raise TicketMissingError
