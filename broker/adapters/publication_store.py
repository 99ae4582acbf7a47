"""The store of what the log shows to outsiders, for SQLite and PostgreSQL alike.

Rule: reads are of ranges and bounded by their caller; on SQLite a write takes the write lock at
once and briefly (the log's writer waits for it), on PostgreSQL it waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    BindParameter,
    Connection,
    Engine,
    Executable,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING
from broker.adapters.log_tables import LogEntry, LogNode, table_of
from broker.adapters.publication_tables import LOG_COSIGNED, LOG_TAG_ROOTS
from broker.adapters.sharing_store import note_change
from broker.audit.publication_ports import StatedRoot
from broker.sharing import PUBLISHED
from datwat.party.database import reading
from datwat.party.hot import HotStatement
from datwat.protocol.entry import derive_leaf_hash

_ENTRIES, _NODES = table_of(LogEntry), table_of(LogNode)
_RANGE: tuple[BindParameter[int], BindParameter[int]] = (bindparam("b_start"), bindparam("b_end"))

_FETCH_ENTRIES = HotStatement(
    lambda _name: (
        select(_ENTRIES.c.idx, _ENTRIES.c.entry)
        .where(_ENTRIES.c.idx >= _RANGE[0], _ENTRIES.c.idx < _RANGE[1])
        .order_by(_ENTRIES.c.idx)
    )
)
_FETCH_NODES = HotStatement(
    lambda _name: (
        select(_NODES.c.hash)
        .where(_NODES.c.level == bindparam("b_level"))
        .where(_NODES.c.idx >= _RANGE[0], _NODES.c.idx < _RANGE[1])
        .order_by(_NODES.c.idx)
    )
)
_LIST_ROOTS = select(LOG_TAG_ROOTS.c.size, LOG_TAG_ROOTS.c.root).order_by(LOG_TAG_ROOTS.c.size)


def _build_put(statement: sqlite.Insert | postgresql.Insert) -> Executable:
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[LOG_COSIGNED.c.origin],
        set_={"size": new["size"], "note": new["note"]},
        where=LOG_COSIGNED.c.size <= new["size"],
    )


_PUT_COSIGNED = {
    "sqlite": _build_put(sqlite.insert(LOG_COSIGNED)),
    "postgresql": _build_put(postgresql.insert(LOG_COSIGNED)),
}


class SqlPublication:
    """Implements `broker.audit.publication_ports.PublicationStore`; safe in several threads."""

    def __init__(self, engine: Engine) -> None:
        self._reading_engine = reading(engine)
        self._writing_engine = engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection from the pool: one unchanging view."""
        with self._reading_engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that commits durably at the end, or not at all."""
        with self._writing_engine.begin() as connection:
            yield connection

    def fetch_entries(
        self, connection: Connection, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of the entries of log[start:end) that are there, in order."""
        rows = _FETCH_ENTRIES.fetch_rows(connection, {"b_start": start, "b_end": end})
        return [(row[0], row[1]) for row in rows]

    def fetch_hashes(
        self, connection: Connection, level: int, start: int, end: int
    ) -> Sequence[bytes]:
        """Return the hashes of complete subtrees; those of height 0 are made from the entries."""
        if level == 0:
            found = self.fetch_entries(connection, start, end)
            return [derive_leaf_hash(entry) for _, entry in found]
        values = {"b_level": level, "b_start": start, "b_end": end}
        return [row[0] for row in _FETCH_NODES.fetch_rows(connection, values)]

    def list_tag_roots(self, connection: Connection) -> Sequence[StatedRoot]:
        """Return the roots that are kept, oldest first."""
        return [StatedRoot(*row) for row in connection.execute(_LIST_ROOTS)]

    def insert_tag_root(self, connection: Connection, stated: StatedRoot, keep_from: int) -> None:
        """Write a root in its entry's transaction; forget those of sizes below `keep_from`."""
        connection.execute(delete(LOG_TAG_ROOTS).where(LOG_TAG_ROOTS.c.size < keep_from))
        connection.execute(insert(LOG_TAG_ROOTS), stated._asdict())
        note_change(connection, PUBLISHED)

    def find_cosigned(self, connection: Connection, origin: str) -> bytes | None:
        """Return the newest cosigned note of a log."""
        query = select(LOG_COSIGNED.c.note).where(LOG_COSIGNED.c.origin == origin)
        found: bytes | None = connection.execute(query).scalar()
        return found

    def put_cosigned(self, connection: Connection, origin: str, size: int, note: bytes) -> None:
        """Write the newest cosigned note of a log; one smaller than there is is left out."""
        values = {"origin": origin, "size": size, "note": note}
        connection.execute(_PUT_COSIGNED[connection.dialect.name], values)
        note_change(connection, PUBLISHED)
