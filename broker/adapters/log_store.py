"""The store of the log: statements over the tables, for SQLite and PostgreSQL alike.

Rule: the writer holds one connection of its own; on SQLite its transaction takes the write lock at
once, on PostgreSQL it locks the head's row first, so that counters and tree never interleave.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import (
    Connection,
    Engine,
    RootTransaction,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from broker.adapters import log_hot
from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING
from broker.adapters.log_hot import HEAD_ID
from broker.adapters.log_keys import SqlLogKeys
from broker.adapters.log_tables import (
    LogEntry,
    LogHead,
    LogNode,
    table_of,
)
from broker.adapters.oversight_tables import ActRecord
from broker.audit.ports import CounterKey, EntryRow, Head, NodeRow
from broker.audit.records import LogTakenError
from datwat.party.database import reading
from datwat.party.hot import HotStatement
from datwat.party.postgres import PATIENCE, is_unfit
from datwat.protocol.entry import COMMIT_PLACE, derive_leaf_hash

# A server that says nothing for so long is let go of: all that waits for the log waits for it.
_SILENT_SECONDS = 10.0
# And who hangs with the head locked is let go of by the server: every other process waits for it.
_HANGING = text("SET idle_in_transaction_session_timeout = 5000")
# The event loop's own connection: it waits for no lock, and copies no journal into the file.
_AT_ONCE = ("PRAGMA busy_timeout=0", "PRAGMA wal_autocheckpoint=0")
_FATAL_SQLITE = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
# By SQLAlchemy or, from a statement that the driver ran itself, by the driver.
_BROKEN = (
    *(OperationalError, InterfaceError, InternalError),
    *(sqlite3.OperationalError, sqlite3.InterfaceError, sqlite3.InternalError),
    *(psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError),
)


_HEAD, _ENTRIES, _NODES = table_of(LogHead), table_of(LogEntry), table_of(LogNode)
_ACTS = table_of(ActRecord)

_ENTRY_COLUMNS = (
    _ENTRIES.c.idx,
    _ENTRIES.c.entry,
    _ENTRIES.c.subject_id,
    _ENTRIES.c.audience,
    _ENTRIES.c.quarter,
    _ENTRIES.c.number,
    _ENTRIES.c.sealed,
    _ENTRIES.c.input_sealed,
    _ENTRIES.c.document,
    _ENTRIES.c.at,
    _ENTRIES.c.retention_until,
)
_FETCH_LEAVES = select(_ENTRIES.c.idx, _ENTRIES.c.entry).where(
    _ENTRIES.c.idx.in_(bindparam("indexes", expanding=True))
)
_FETCH_RANGE = HotStatement(
    lambda _name: (
        select(_ENTRIES.c.entry)
        .where(_ENTRIES.c.idx >= bindparam("b_start"), _ENTRIES.c.idx < bindparam("b_end"))
        .order_by(_ENTRIES.c.idx)
    )
)
_FIND_COMMITTED = (
    select(_ENTRIES.c.idx, _ENTRIES.c.entry)
    .where(
        _ENTRIES.c.subject_id == bindparam("b_subject"),
        _ENTRIES.c.audience == bindparam("b_audience"),
        func.substr(_ENTRIES.c.entry, COMMIT_PLACE.start + 1) == bindparam("b_commit"),
    )
    .order_by(_ENTRIES.c.idx.desc())
    .limit(1)
)
_FETCH_NODES = (
    select(_NODES.c.idx, _NODES.c.hash)
    .where(_NODES.c.level == bindparam("level"))
    .where(_NODES.c.idx.in_(bindparam("indexes", expanding=True)))
)

_SHOW_SEEN = (
    update(_ACTS).where(_ACTS.c.idx == bindparam("b_idx")).values(shown_at=bindparam("b_now"))
)


class SqlLogStore(SqlLogKeys):
    """Implements `broker.audit.ports.LogStore`; `writing` is for one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        engine = engine.execution_options(**{PATIENCE: _SILENT_SECONDS})
        self._reading_engine = reading(engine)
        self._writing_engine = engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})
        self._held: dict[bool, Connection] = {}

    @property
    def is_in_process(self) -> bool:
        """Whether a transaction is work of this process alone: no server is waited for."""
        return self._writing_engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self, *, at_once: bool = False) -> Iterator[Connection]:
        """Yield the writer's connection in a transaction that commits durably, or not at all.

        Raises LogTakenError where it is to be `at_once`, and another writes: SQLite only.
        """
        connection = self._take_writer(at_once=at_once) or self._open_writer(at_once=at_once)
        transaction = self._begin(connection, at_once=at_once)
        try:
            with transaction:
                yield connection
        except BaseException:
            # After an error the connection is not worth keeping, and may be the cause.
            _let_go(connection)
            raise
        self._held[at_once] = connection

    def _take_writer(self, *, at_once: bool) -> Connection | None:
        """Return the held connection, unless its server ended it: nothing was sent on it yet."""
        held = self._held.pop(at_once, None)
        if held is None or self.is_in_process or not is_unfit(held.connection.dbapi_connection):
            return held
        _let_go(held)
        return None

    def _open_writer(self, *, at_once: bool) -> Connection:
        connection = self._writing_engine.connect()
        try:
            if not self.is_in_process:
                with connection.begin():
                    connection.execute(_HANGING)
            elif at_once:
                with closing(connection.connection.cursor()) as cursor:
                    for pragma in _AT_ONCE:
                        cursor.execute(pragma)
        except BaseException:
            _let_go(connection)
            raise
        return connection

    def _begin(self, connection: Connection, *, at_once: bool) -> RootTransaction:
        try:
            return connection.begin()
        except BaseException as error:
            if at_once and _is_busy(error):
                self._held[at_once] = connection
                raise LogTakenError from None
            _let_go(connection)
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection from the pool: one unchanging view."""
        with self._reading_engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close the writer's connections."""
        for connection in self._held.values():
            _let_go(connection)
        self._held.clear()

    def is_fatal(self, error: BaseException) -> bool:
        """Whether SQLite could not read or sync its file; PostgreSQL looks after itself."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        name = getattr(cause, "sqlite_errorname", "")
        return isinstance(cause, sqlite3.Error) and str(name).startswith(_FATAL_SQLITE)

    def is_broken(self, error: BaseException) -> bool:
        """Whether the connection or the database failed, rather than one statement."""
        return isinstance(error, _BROKEN)

    def insert_head(self, connection: Connection, head: Head) -> None:
        """Write the head of a log that has none."""
        connection.execute(
            insert(_HEAD),
            {
                "id": HEAD_ID,
                "origin": head.origin,
                "size": head.size,
                "root": head.root,
                "delayed_chain_key_sealed": head.delayed_chain_key_sealed,
            },
        )

    def find_head(self, connection: Connection) -> Head | None:
        """Return the head."""
        columns = (_HEAD.c.origin, _HEAD.c.size, _HEAD.c.root, _HEAD.c.delayed_chain_key_sealed)
        row = connection.execute(select(*columns).where(_HEAD.c.id == HEAD_ID)).first()
        return None if row is None else Head(*row)

    def lock_head(self, connection: Connection) -> tuple[int, bytes] | None:
        """Return size and root, and make other writers wait (SQLite: `BEGIN IMMEDIATE` did)."""
        return log_hot.lock_head(connection)

    def update_head(self, connection: Connection, size: int, root: bytes) -> None:
        """Move the head."""
        log_hot.update_head(connection, size, root)

    def advance_counters(
        self, connection: Connection, counts: Mapping[CounterKey, int]
    ) -> Mapping[CounterKey, int]:
        """Take that many places in each chain and quarter; return the first of each."""
        return log_hot.advance_counters(connection, counts)

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        """Write entries, and what oversight counts of them."""
        log_hot.insert_entries(connection, rows)

    def show_seen(self, connection: Connection, indexes: Sequence[int], now: datetime) -> None:
        """Let what oversight counts of these entries be counted from now on."""
        if indexes:
            rows = [{"b_idx": index, "b_now": now} for index in indexes]
            connection.execute(_SHOW_SEEN, rows)

    def insert_nodes(self, connection: Connection, rows: Sequence[NodeRow]) -> None:
        """Write subtree hashes."""
        log_hot.insert_nodes(connection, rows)

    def fetch_nodes(
        self, connection: Connection, level: int, indexes: Sequence[int]
    ) -> Mapping[int, bytes]:
        """Return the hashes that are there; at level 0 they are made from the entries."""
        if level == 0:
            rows = connection.execute(_FETCH_LEAVES, {"indexes": list(indexes)})
            return {row[0]: derive_leaf_hash(row[1]) for row in rows}
        rows = connection.execute(_FETCH_NODES, {"level": level, "indexes": list(indexes)})
        return {row[0]: row[1] for row in rows}

    def fetch_entries(self, connection: Connection, start: int, end: int) -> Sequence[bytes]:
        """Return the 66 bytes of each entry of log[start:end) that is there, in order."""
        rows = _FETCH_RANGE.fetch_rows(connection, {"b_start": start, "b_end": end})
        return [row[0] for row in rows]

    def fetch_entries_of(
        self,
        connection: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        *,
        limit: int,
        before: int | None,
    ) -> Sequence[EntryRow]:
        """Return a subject's entries in these audiences, newest first, below index `before`."""
        query = (
            select(*_ENTRY_COLUMNS)
            .where(_ENTRIES.c.subject_id == subject_id)
            .where(_ENTRIES.c.audience.in_(list(audiences)))
            .order_by(_ENTRIES.c.idx.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(_ENTRIES.c.idx < before)
        return [_entry_row(tuple(row)) for row in connection.execute(query)]

    def fetch_entries_after(
        self,
        connection: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        index: int,
        *,
        limit: int,
    ) -> Sequence[EntryRow]:
        """Return a subject's entries in these audiences, oldest first, above an index."""
        query = (
            select(*_ENTRY_COLUMNS)
            .where(_ENTRIES.c.subject_id == subject_id)
            .where(_ENTRIES.c.audience.in_(list(audiences)))
            .where(_ENTRIES.c.idx > index)
            .order_by(_ENTRIES.c.idx)
            .limit(limit)
        )
        return [_entry_row(tuple(row)) for row in connection.execute(query)]

    def find_committed(
        self, connection: Connection, subject_id: bytes, audience: str, commit: bytes
    ) -> tuple[int, bytes] | None:
        """Return index and entry of a subject's entry with this commit."""
        this = {"b_subject": subject_id, "b_audience": audience, "b_commit": commit}
        row = connection.execute(_FIND_COMMITTED, this).first()
        return None if row is None else (row[0], row[1])

    def find_entry(self, connection: Connection, index: int) -> EntryRow | None:
        """Return the entry at an index."""
        query = select(*_ENTRY_COLUMNS).where(_ENTRIES.c.idx == index)
        row = connection.execute(query).first()
        return None if row is None else _entry_row(tuple(row))


def _entry_row(row: Sequence[Any]) -> EntryRow:
    return EntryRow(*row)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorname.startswith(
        "SQLITE_BUSY"
    )


def _let_go(connection: Connection) -> None:
    """Close a connection that nobody else may use: it is set up for the writer, or broken."""
    connection.invalidate()
    connection.close()
