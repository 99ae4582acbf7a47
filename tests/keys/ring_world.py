"""Rows of every kind under a row key in a file, and what finds them again; test people only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.row_moving import SEALED, SqlRowTables
from broker.adapters.tables import SPENT
from broker.exchange.recorded import build_spent_aad
from broker.exchange.registers import Registers
from broker.exchange.row_turning import RowTurning
from broker.pseudonyms.reference_rows import Introduction
from broker.pseudonyms.row_keys import SPENT as SPENT_LABEL
from broker.pseudonyms.row_keys import RowKeys
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.sealing import UnsealError
from tests.adapters.registers import DAY, NOW, SCHOOL, TEAM

FIRST_KEY = bytes(range(32))
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass
class Person:
    """What one person is found by."""

    number: int
    subject_id: bytes = field(default_factory=draw_id)
    handle: bytes = field(default_factory=draw_id)
    code: bytes = field(default_factory=draw_id)

    @property
    def pseudonym(self) -> bytes:
        return hashlib.sha256(b"P%d" % self.number).digest()


def make_row_file(folder: Path, key: bytes = FIRST_KEY) -> RowKeyFile:
    """Write the row key as `init` does, and return the file."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    path = secrets / "row.key"
    path.touch(mode=0o600)
    path.write_bytes(key)
    return RowKeyFile(path)


def add_person(
    conn: Connection,
    registers: Registers,
    person: Person,
    now: datetime = NOW,
    *,
    code: bool = True,
) -> None:
    """Add a person, a handle of the team, and a code that the school may redeem."""
    subject_id = person.subject_id
    registers.subjects.add_subject(conn, subject_id, person.pseudonym, 1, now)
    registers.references.add_reference(
        conn, TEAM, "handle", subject_id, person.handle, until_at=now + 90 * DAY, now=now
    )
    if code:
        given = Introduction(subject_id, TEAM, "open", None, now + 7 * DAY)
        registers.references.add_introduction(conn, SCHOOL, person.code, given)


def add_spent(conn: Connection, keys: RowKeys) -> None:
    """Add a recorded answer."""
    rid = draw_id()
    values = {
        "iss": TEAM,
        "rid": rid,
        "request_hash": os.urandom(32),
        "answer": keys.seal(SPENT_LABEL, b"answer", build_spent_aad(TEAM, rid)),
        "until_at": int((NOW + 400 * DAY).timestamp()),
    }
    conn.execute(insert(SPENT), values)


def require_found(
    conn: Connection, registers: Registers, people: Sequence[Person], now: datetime = NOW
) -> None:
    """Fail unless each person is found by pseudonym and by handle, and is nobody else."""
    for person in people:
        found = registers.subjects.find_subject(conn, person.pseudonym, 1)
        assert found.subject_id == person.subject_id, person.number
        target = registers.references.find_target(conn, TEAM, "handle", person.handle, now)
        assert target is not None, person.number
        assert target.target == person.subject_id


def read_numbers(conn: Connection, keys: RowKeys) -> dict[str, tuple[int, int]]:
    """Return per table how many rows there are, and how many a ring does not open."""
    found = {}
    for sealed in SEALED:
        rows = conn.execute(sealed.first, {"b_limit": 10_000}).all()
        closed = 0
        for row in rows:
            try:
                keys.unseal(
                    sealed.label, bytes(getattr(row, sealed.column)), sealed.derive_aad(row)
                )
            except UnsealError:
                closed += 1
        found[sealed.table.name] = len(rows), closed
    return found


def build_turning(row_file: RowKeyFile, log: Any, reading: Any) -> RowTurning:  # noqa: ANN401 - ports
    """Return what carries a rotation on, as a process builds it."""
    return RowTurning(row_file, SqlRowTables(row_file.keys), log, reading)


async def keep_all(turning: RowTurning, now: datetime, limit: int = 3) -> int:
    """Do every step that is due at a moment; return how many there were."""
    steps = 0
    while await turning.keep(now, limit):
        steps += 1
    return steps
