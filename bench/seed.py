"""A broker's database with a million pointers, written through its own tables, kept in build/.

Rule: the rows are what the broker itself would have written (keyed index, pseudonym, chain key and
contact sealed under its own keys), so every index has its real size and order. Only the pseudonyms
are random bytes: about whom these rows are, nobody can ask, here as anywhere.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Engine, insert
from sqlmodel import SQLModel

from bench.kept import keep
from broker.adapters.database import open_engine
from broker.adapters.log_tables import DataSubject, derive_seconds
from broker.adapters.rows import RowSealer
from broker.adapters.secrets import BrokerSecrets, load_secrets
from broker.adapters.subject_store import SqlSubjectStore
from broker.adapters.tables import InvolvementRecord, PseudonymRecord, table_of
from broker.involvement.involvements import KEPT_ENDED
from broker.pseudonyms.row_keys import ROW
from broker.pseudonyms.subjects import KEPT_FOR, Subjects, build_pseudonym_aad, draw_id
from datwat.protocol.acts import Contact
from datwat.protocol.sealing import KEY_SIZE

PER_PERSON = 3
_CHUNK = 20_000
_KINDS = (
    ("debt-counselling", "debt_counselling", "debt"),
    ("income", "income_support", "income"),
    ("municipality-wmo", "wmo_support", "care"),
)
_KEPT = ("secrets/row.key", "secrets/kek.json", "database/party.sqlite")
_FAST = ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF")


def fill(home: Path, cache: Path, pointers: int) -> str:
    """Give the broker in `home`, which must not run, a database with so many pointers.

    Returns "made" or "kept": it is made once per schema and count, and keeps the keys of its rows.
    """

    def make(kept: Path) -> None:
        _write(home, pointers)
        for name in _KEPT:
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(home / name, kept / name)

    kept = keep(cache, "seed", pointers, [Path(__file__)], make)
    if kept.is_new:
        return "made"
    for name in _KEPT:
        shutil.copy(kept.folder / name, home / name)
    return "kept"


def _write(home: Path, pointers: int) -> None:
    engine = open_engine(f"sqlite:///{home / 'database' / 'party.sqlite'}")
    write(engine, load_secrets(home), pointers)
    engine.dispose()


def write(engine: Engine, secrets: BrokerSecrets, pointers: int) -> None:
    """Write so many pointers into a migrated database of either kind, all or nothing."""
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if is_sqlite:
            for pragma in _FAST:
                connection.connection.cursor().execute(f"PRAGMA {pragma}")
        with connection.begin():
            for rows in _build_rows(secrets, pointers):
                _insert(connection, rows)
        if is_sqlite:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


_Rows = tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]


def _insert(connection: Connection, rows: _Rows) -> None:
    models: tuple[type[SQLModel], ...] = (DataSubject, PseudonymRecord, InvolvementRecord)
    for model, values in zip(models, rows, strict=True):
        if connection.dialect.name == "sqlite":
            connection.execute(insert(table_of(model)), values)
        else:
            _copy(connection, str(model.__tablename__), values)


def _copy(connection: Connection, table: str, values: list[dict[str, Any]]) -> None:
    """Write rows as PostgreSQL takes most at once; moments become what `UtcSeconds` stores."""
    driver: Any = connection.connection.driver_connection
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, values[0]))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in values:
            copy.write_row(
                [
                    derive_seconds(value) if isinstance(value, datetime) else value
                    for value in row.values()
                ]
            )


def _build_rows(secrets: BrokerSecrets, pointers: int) -> Iterator[_Rows]:
    """Yield chunks of subjects, pseudonyms and involvements, in the order of their keys."""
    now = datetime.now(UTC).replace(microsecond=0)
    subjects = Subjects(SqlSubjectStore(), secrets.row_key)
    keys, sealer = secrets.row_key, RowSealer(secrets.row_key)
    days = random.Random(pointers)  # noqa: S311 - dates that look like a year of work
    ids = sorted(draw_id() for _ in range(pointers // PER_PERSON))
    for first in range(0, len(ids), _CHUNK):
        people, names, held = [], [], []
        for subject_id in ids[first : first + _CHUNK]:
            at = now - timedelta(days=days.randrange(300), seconds=days.randrange(86_400))
            sealed_key = secrets.kek.seal(os.urandom(KEY_SIZE), subject_id)
            people.append(
                {"subject_id": subject_id, "chain_key_sealed": sealed_key, "created_at": at}
            )
            pseudonym = os.urandom(KEY_SIZE)
            names.append(
                {
                    "lookup": subjects.derive_index(pseudonym),
                    "subject_id": subject_id,
                    "epoch": 1,
                    "sealed": keys.seal(ROW, pseudonym, build_pseudonym_aad(subject_id, 1)),
                    "until_at": at + KEPT_FOR,
                }
            )
            held += [_build_pointer(sealer, subject_id, place, at) for place in range(PER_PERSON)]
        yield people, sorted(names, key=lambda row: bytes(row["lookup"])), held


def _build_pointer(
    sealer: RowSealer, subject_id: bytes, place: int, at: datetime
) -> dict[str, Any]:
    function, kind, domain = _KINDS[place % len(_KINDS)]
    # Twenty organisations of each function.
    source = f"{99 * 10**12 + 20_000 + subject_id[-1] % 20:020d}:{function}"
    involvement_id = draw_id()
    expires_at = at + timedelta(days=730)
    contact = Contact(role="Front desk", name="S. de Boer", phone="020 000 0000")
    return {
        "subject_id": subject_id,
        "id": involvement_id,
        "source": source,
        "function": function,
        "kind": kind,
        "domain": domain,
        "since_at": at - timedelta(days=30),
        "registered_at": at,
        "reconfirmed_at": at,
        "expires_at": expires_at,
        "ended_at": None,
        "end_reason": None,
        "shielded": False,
        "confidential": False,
        "mark": None,
        "until_at": expires_at + KEPT_ENDED,
        "sealed": sealer.seal(
            str(InvolvementRecord.__tablename__), contact, subject_id, involvement_id
        ),
    }
