"""Making a backup while the broker runs: one unchanging view of the database, table by table.

Rules: what follows from the entries (nodes, tags), what is over within the hour (spent ids,
sessions) and what oversight counts is left out; every other row is as the database has it, so that
sealed stays sealed.
Source: docs/decisions/0015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Select,
    Table,
    select,
)
from sqlalchemy.types import TypeEngine

from broker.adapters.backup_file import (
    BackupError,
    BackupHeader,
    FileKey,
    Line,
    chain_lines,
    derive_row_check,
    read_recipient,
    write_file,
)
from broker.adapters.log_store import SqlLogStore
from broker.audit.ports import KekPort
from broker.audit.records import DELAYED_CHAIN_ID
from broker.audit.sealing import derive_quarter_aad
from broker.pseudonyms.row_keys import RowKeys
from datwat.party.database import reading
from datwat.party.postgres import lift_limits
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import encode_bytes

LEFT_OUT = frozenset(
    {
        "alembic_version",
        "spent",
        "log_nodes",
        "log_tags",
        # Who lost a role since would have it again: after a restore an administrator gives them.
        "officer_roles",
        "officer_tokens",
        "oversight_acts",
        "replays",
        "shared_changes",
        "weighed_changes",
        "access_tokens",
        "spent_assertions",
    }
)
_AT_ONCE = 500
_SESSIONS = ("session", "represented")
# Where keys lie that the KEK sealed, and in which context.
_KEYS: dict[str, tuple[str, Callable[[dict[str, Any]], bytes]]] = {
    "log_head": ("delayed_chain_key_sealed", lambda _row: DELAYED_CHAIN_ID),
    "subjects": ("chain_key_sealed", lambda row: bytes(row["subject_id"])),
    "log_quarter_keys": (
        "key_sealed",
        lambda row: derive_quarter_aad(bytes(row["subject_id"]), row["quarter"]),
    ),
}


class Backup(NamedTuple):
    """What was written."""

    size: int
    length: int
    made_at: datetime


def make_backup(
    engine: Engine,
    path: Path,
    *,
    recipient: str,
    kek: KekPort,
    row_key: RowKeys | bytes,
    now: datetime,
) -> Backup:
    """Write a backup to a new file; nothing waits for it but what SQLite would truncate.

    Raises BackupError.
    """
    to = read_recipient(recipient)
    with _open_view(engine) as conn:
        head = SqlLogStore(engine).find_head(conn)
        revision = MigrationContext.configure(conn).get_current_revision()
        if head is None or revision is None:
            raise BackupError("There is no log to back up.")
        key = FileKey.draw()
        header = BackupHeader(
            v=1,
            origin=head.origin,
            size=head.size,
            root=head.root,
            revision=revision,
            made_at=now.replace(microsecond=0),
            kek_sealed=key.seal(kek),
            row_check=derive_row_check(row_key, head.origin),
        )
        length = write_file(path, to, header, key, chain_lines(_list_lines(conn, kek)))
    return Backup(head.size, length, header.made_at)


def list_tables(conn: Connection) -> list[Table]:
    """Return the tables of a backup as this database has them, by name."""
    metadata = MetaData()
    metadata.reflect(conn)
    return [metadata.tables[name] for name in sorted(metadata.tables) if name not in LEFT_OUT]


def is_binary(column: Column[object]) -> bool:
    """Whether the values of a column are bytes: they travel as base64url."""
    kind: TypeEngine[object] = column.type
    return isinstance(kind, LargeBinary)


@contextmanager
def _open_view(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one moment, however long that takes."""
    with reading(engine).connect() as conn:
        lift_limits(conn)
        yield conn


def _list_lines(conn: Connection, kek: KekPort) -> Iterator[Line]:
    streamed = conn.execution_options(stream_results=True, yield_per=_AT_ONCE)
    for table in list_tables(conn):
        columns = list(table.columns)
        binary = [is_binary(column) for column in columns]
        yield {"table": table.name, "columns": [column.name for column in columns]}
        for row in streamed.execute(_build_query(table)):
            values = _turn_key(table.name, dict(row._mapping), kek).values()  # noqa: SLF001 - public
            yield [
                encode_bytes(value) if flag and value is not None else value
                for value, flag in zip(values, binary, strict=True)
            ]


def _turn_key(table: str, row: dict[str, Any], kek: KekPort) -> dict[str, Any]:
    """Put a key under the newest generation, as the header is: else a part would be over sooner."""
    if table not in _KEYS:
        return row
    column, derive_aad = _KEYS[table]
    sealed = bytes(row[column])
    if kek.read_generation(sealed) != kek.list_generations()[-1].number:
        aad = derive_aad(row)
        with suppress(UnsealError):  # one that opens no more may not keep all else from a backup
            row[column] = kek.seal(kek.unseal(sealed, aad), aad)
    return row


def _build_query(table: Table) -> Select[Any]:
    query = select(*table.columns).order_by(*table.primary_key.columns)
    if table.name == "partner_references":
        query = query.where(table.c.kind.not_in(_SESSIONS))
    return query
