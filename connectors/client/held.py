"""What this partner holds of the log as the one who asked or acted: the proofs of its answers.

Rule: an answer that the resident is told of later is left out until its opening was proved to this
partner; whose an answer is follows from the handle in it, never from a name or a BSN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Row, select

from connectors.client.store import read_moment
from connectors.gateway_tables import gateway_opened
from connectors.tables import clients, evidence
from datwat.party.database import reading
from datwat.protocol.acts import ByHandle, PersonPart
from datwat.protocol.held_entries import HeldEntry
from datwat.protocol.messages import Answer, PersonAnswer
from datwat.protocol.signing import SignedMessage, part_content
from datwat.protocol.values import encode_bytes


def list_held(engine: Engine, client: str, origin: str) -> list[HeldEntry]:
    """Return the entries of one log that answers about a client rest on, in no fixed order."""
    with reading(engine).connect() as connection:
        handle = connection.execute(
            select(clients.c.handle).where(clients.c.number == client)
        ).scalar()
        if handle is None:
            return []
        opened = _fetch_opened(connection, origin)
        answered = select(evidence).where(evidence.c.state == "answered")
        return [
            entry
            for row in connection.execute(answered.execution_options(yield_per=200))
            for entry in _list_entries(row, handle, origin, opened)
        ]


def is_client(engine: Engine, number: str) -> bool:
    """Whether a client has this number here, with or without entries."""
    found = select(clients.c.number).where(clients.c.number == number)
    with engine.connect() as connection:
        return connection.execute(found).first() is not None


def _fetch_opened(connection: Connection, origin: str) -> dict[int, bytes]:
    statement = select(gateway_opened.c.log_index, gateway_opened.c.commit).where(
        gateway_opened.c.origin == origin
    )
    return {row.log_index: row.commit for row in connection.execute(statement)}


def _list_entries(
    row: Row[Any], handle: bytes, origin: str, opened: dict[int, bytes]
) -> Iterator[HeldEntry]:
    answer = Answer.model_validate_json(row.answer)
    if not answer.answers or (answer.checkpoint or "").split("\n", 1)[0] != origin:
        return
    parts = SignedMessage.from_bytes(row.message).parts[-len(answer.answers) :]
    for part, person in zip(parts, answer.answers, strict=True):
        entry = _build_entry(row, person)
        if entry is None or not _is_about(part, person, handle):
            continue
        if _is_told(entry) or opened.get(entry.index) == entry.commit:
            yield entry


def _build_entry(row: Row[Any], person: PersonAnswer) -> HeldEntry | None:
    if person.receipt is None or person.payload_hash is None or person.tag is None:
        return None
    return HeldEntry(
        index=person.receipt.index,
        role="requester",
        act=row.act,
        at=read_moment(row.sent_at),
        core=person.core,
        payload_hash=person.payload_hash,
        tag=person.tag,
    )


def _is_about(part: bytes, person: PersonAnswer, handle: bytes) -> bool:
    """Whether the person was named by this handle, or is called so in the answer."""
    if json.loads(person.part).get("handle") == encode_bytes(handle):
        return True
    try:
        named = PersonPart.model_validate_json(part_content(part)).person
    except ValidationError:  # a message of an earlier version
        return False
    return isinstance(named, ByHandle) and named.handle == handle


def _is_told(entry: HeldEntry) -> bool:
    return bool(json.loads(entry.core).get("notice") == "now")
