"""What somebody of the staff said and asked through this connector, and what was answered.

Rules: it is read from the evidence that the connector keeps anyway, so that it says what went out,
byte for byte; staff find their own acts, and those on an occasion that they work on. Whose an act
is follows from the handle in it; a BSN stands nowhere. `notice` tells whether the resident sees it
now or later, `opened_at` when what waited was opened.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Engine, Row, Select, and_, select

from connectors.client.store import read_moment, select_first_number
from connectors.gateway_tables import gateway_opened
from connectors.tables import evidence
from datwat.party.database import READ_ONLY
from datwat.protocol.acts import ByHandle, PersonPart, Statement
from datwat.protocol.answers import ActPart, AnswerPart, InquiryPart, ReleasePart
from datwat.protocol.entry import derive_commit
from datwat.protocol.messages import Answer, Notice, PersonAnswer
from datwat.protocol.signing import SignedMessage, part_content
from datwat.protocol.values import PartyId

MOST: Final = 200
_PARTS: Final[TypeAdapter[ActPart | InquiryPart | ReleasePart]] = TypeAdapter(
    ActPart | InquiryPart | ReleasePart
)
# An opening is on record this long before its occasion at most: its answer took so long.
_OPENING_TOOK: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class OwnPerson:
    """What was said of one person and answered; `client` is None where nobody has the handle."""

    client: str | None
    stated: PersonPart = field(repr=False)
    answer: AnswerPart | None = field(repr=False)
    entry: int | None
    notice: Notice | None
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnAct:
    """One message: what it was, when, by whom, for what, to whom, about whom."""

    rid: bytes = field(repr=False)
    act: str
    at: datetime
    state: str
    statement: Statement = field(repr=False)
    purpose: str | None
    source: PartyId | None
    product: str | None
    fields: tuple[str, ...]
    rung: str | None
    to: PartyId | None
    persons: tuple[OwnPerson, ...]


class OwnActs:
    """The reading of what staff did, over one engine; nothing is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_by(
        self, staff: str, acts: Collection[str], since: datetime, origin: str, *, most: int = MOST
    ) -> list[OwnAct]:
        """Return what one of the staff did since a moment, the newest first."""
        c = evidence.c
        found = select(evidence).where(
            c.staff == staff, c.act.in_(acts), c.sent_at >= int(since.timestamp())
        )
        return self._read(found.order_by(c.sent_at.desc()).limit(most), origin)

    def list_on(
        self, occasion: bytes, acts: Collection[str], origin: str, *, most: int = MOST
    ) -> list[OwnAct]:
        """Return what was done on one occasion, by whomever of the staff, the newest first."""
        c = evidence.c
        found = select(evidence).where(c.occasion == occasion, c.act.in_(acts))
        return self._read(found.order_by(c.sent_at.desc()).limit(most), origin)

    def find_opening(self, occasion: bytes, opened_at: datetime, origin: str) -> OwnAct | None:
        """Return the act by which an occasion was opened."""
        c = evidence.c
        found = select(evidence).where(
            c.act == "open_occasion",
            c.state == "answered",
            c.sent_at >= int((opened_at - _OPENING_TOOK).timestamp()),
            c.sent_at <= int(opened_at.timestamp()) + 1,
        )
        for act in self._read(found.order_by(c.sent_at.desc()), origin):
            answers = [one.answer for one in act.persons]
            if any(isinstance(one, ActPart) and one.occasion == occasion for one in answers):
                return act
        return None

    def _read(self, query: Select[Any], origin: str) -> list[OwnAct]:
        with self._engine.connect() as connection:
            reading = connection.execution_options(**{READ_ONLY: True})
            return [_build_act(row, reading, origin) for row in reading.execute(query).all()]


def _build_act(row: Row[Any], connection: Connection, origin: str) -> OwnAct:
    message = SignedMessage.from_bytes(row.message)
    said = json.loads(message.object)
    parts = list(message.parts)
    statement = Statement.model_validate_json(part_content(parts[0]))
    stated = parts[2 if said.get("has_ticket") else 1 :]
    answers = _read_answers(row, len(stated))
    return OwnAct(
        rid=row.rid,
        act=row.act,
        at=read_moment(row.sent_at),
        state=row.state,
        statement=statement,
        purpose=(said.get("purpose") or {}).get("id"),
        source=said.get("source"),
        product=said.get("product"),
        fields=tuple(said.get("fields", ())),
        rung=said.get("rung"),
        to=said.get("to"),
        persons=tuple(
            _build_person(part, answer, connection, origin)
            for part, answer in zip(stated, answers, strict=True)
        ),
    )


def _read_answers(row: Row[Any], persons: int) -> list[PersonAnswer | None]:
    if row.state != "answered" or row.answer is None:
        return [None] * persons
    answers = Answer.model_validate_json(row.answer).answers
    return list(answers) if len(answers) == persons else [None] * persons


def _build_person(
    part: bytes, answered: PersonAnswer | None, connection: Connection, origin: str
) -> OwnPerson:
    stated = PersonPart.model_validate_json(part_content(part))
    answer = _read_part(answered)
    handle = getattr(answer, "handle", None) or (
        stated.person.handle if isinstance(stated.person, ByHandle) else None
    )
    notice = json.loads(answered.core).get("notice") if answered and answered.core else None
    entry = answered.receipt.index if answered and answered.receipt else None
    return OwnPerson(
        client=_find_client(connection, handle) if handle else None,
        stated=stated,
        answer=answer,
        entry=entry,
        notice=notice,
        opened_at=_find_opened(connection, origin, answered) if notice == "later" else None,
    )


def _read_part(answered: PersonAnswer | None) -> AnswerPart | None:
    try:
        return _PARTS.validate_json(answered.part) if answered else None
    except ValidationError:  # of another version of the protocol
        return None


def _find_client(connection: Connection, handle: bytes) -> str | None:
    found: str | None = connection.execute(select_first_number(handle)).scalar()
    return found


def _find_opened(
    connection: Connection, origin: str, answered: PersonAnswer | None
) -> datetime | None:
    """Return when an entry was opened: that very entry, by what it committed to."""
    if answered is None or answered.receipt is None or answered.payload_hash is None:
        return None
    c = gateway_opened.c
    commit = derive_commit(answered.core, answered.payload_hash)
    this = and_(c.origin == origin, c.log_index == answered.receipt.index, c.commit == commit)
    told_at = connection.execute(select(c.told_at).where(this)).scalar()
    return read_moment(told_at) if told_at is not None else None
