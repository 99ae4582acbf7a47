"""The writer: puts what many requests want to log into one transaction.

Rule: rows, spent ids, entries, counters and the tree's head are committed together; what a job
raises undoes only that job; an error of the disk stops the log for good.
Source: house reference "audit-log", Sequencing.

A crash before the commit loses requests that nobody was answered; a crash after it leaves entries
whose answers never left. There is nothing between the two.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPICursor

from broker.audit.ports import CounterKey, EntryRow, LogStore, NodeRow
from broker.audit.records import (
    Appendable,
    Appended,
    Job,
    LogMissingError,
    LostRaceError,
    PreparedEntry,
    Statement,
    TagRoot,
)
from broker.audit.sealing import are_current, store_keys
from broker.audit.tree import Edge, Frontier, TreeReader
from datwat.protocol.entry import (
    build_person_entry,
    build_statement_entry,
    build_tag_root_entry,
    derive_leaf_hash,
    derive_tag,
)


@dataclass(slots=True)
class Waiting:
    """A job with the one who waits for it."""

    job: Job
    future: asyncio.Future[Appended]
    items: list[Appendable] = field(default_factory=list)
    rows: list[EntryRow] = field(default_factory=list)
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """A head that is durable, and the jobs whose entries lie below it."""

    size: int
    root: bytes
    written: Sequence[Waiting]


class Writer:
    """Turns batches of jobs into committed entries; used by one thread at a time."""

    def __init__(
        self, store: LogStore, tree: TreeReader, edge: Edge, *, is_shared: bool = False
    ) -> None:
        """`is_shared`: other processes write this log too."""
        self._store = store
        self._tree = tree
        self._edge = edge
        self._is_shared = is_shared

    def write(self, batch: Sequence[Waiting], *, at_once: bool = False) -> Committed:
        """Commit the jobs of a batch together; those that failed have their `error` set.

        Raises LogTakenError where it is to be `at_once`, and another writes: nothing was done.
        """
        with self._store.writing(at_once=at_once) as connection:
            frontier = self._require_frontier(connection)
            written: list[Waiting] = []
            nodes: list[NodeRow] = []
            placed = 0
            for place, waiting in enumerate(batch):
                if waiting.job.sees_all:
                    nodes += self._place(connection, written[placed:], frontier)
                    placed = len(written)
                self._run(connection, waiting, is_first=place == 0)
                if waiting.error is None:
                    written.append(waiting)
            nodes += self._place(connection, written[placed:], frontier)
        self._edge.hold(frontier)
        self._tree.remember(nodes)
        return Committed(frontier.size, frontier.root, written)

    def _require_frontier(self, connection: Connection) -> Frontier:
        """Lock the head and return the right edge that belongs to it."""
        head = self._store.lock_head(connection)
        if head is None:
            raise LogMissingError
        return self._edge.reach(connection, *head)

    def _run(self, connection: Connection, waiting: Waiting, *, is_first: bool) -> None:
        """Run one job under a savepoint; whatever it raises undoes this job only."""
        # By the driver itself: SQLAlchemy's own savepoints cost as much as the rest of a job.
        cursor = connection.connection.cursor()
        _begin_job(connection, cursor, is_first=is_first)
        try:
            if self._is_shared and not are_current(self._store, connection, waiting.job.keys):
                raise LostRaceError  # noqa: TRY301 - undone like any other failure
            for keys in waiting.job.keys:
                if not store_keys(self._store, connection, keys):
                    raise LostRaceError  # noqa: TRY301 - undone like any other failure
            waiting.items = list(waiting.job.work(connection))
        except Exception as error:
            if self._store.is_broken(error):
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT job")
            waiting.error = error
        cursor.close()

    def _place(
        self, connection: Connection, written: Sequence[Waiting], frontier: Frontier
    ) -> list[NodeRow]:
        """Give every item its places in chain and tree, and write them."""
        counts = Counter(
            _counter_key(item)
            for waiting in written
            for item in waiting.items
            if isinstance(item, PreparedEntry)
        )
        numbers = dict(self._store.advance_counters(connection, counts)) if counts else {}
        nodes: list[NodeRow] = []
        rows: list[EntryRow] = []
        for waiting in written:
            for item in waiting.items:
                row = _build_row(item, frontier.size, numbers)
                nodes += frontier.append(derive_leaf_hash(row.entry))
                waiting.rows.append(row)
                rows.append(row)
        if rows:
            self._store.insert_entries(connection, rows)
            self._store.insert_nodes(connection, [node for node in nodes if node.level])
            self._store.update_head(connection, frontier.size, frontier.root)
        return nodes


def _begin_job(connection: Connection, cursor: DBAPICursor, *, is_first: bool) -> None:
    """Begin a job where the one before ended; the commit ends the last one."""
    if is_first:
        cursor.execute("SAVEPOINT job")
    elif connection.dialect.name == "sqlite":  # takes one statement at a time
        cursor.execute("RELEASE SAVEPOINT job")
        cursor.execute("SAVEPOINT job")
    else:  # one way to the server and back
        cursor.execute("RELEASE SAVEPOINT job; SAVEPOINT job")


def _counter_key(item: PreparedEntry) -> CounterKey:
    return item.chain.chain_id, item.chain.audience, item.quarter


def _build_public_entry(item: Statement | TagRoot) -> bytes:
    if isinstance(item, TagRoot):
        return build_tag_root_entry(item.size, item.root)
    return build_statement_entry(item.document)


def _build_row(item: Appendable, index: int, numbers: dict[CounterKey, int]) -> EntryRow:
    """Return the row of an item at `index`, taking the next number of its chain."""
    if not isinstance(item, PreparedEntry):
        document = item.document if isinstance(item, Statement) else None
        return EntryRow(
            index=index,
            entry=_build_public_entry(item),
            subject_id=None,
            audience=None,
            quarter=None,
            number=None,
            sealed=None,
            input_sealed=None,
            document=document,
            at=item.at,
            retention_until=None,
        )
    key = _counter_key(item)
    number = numbers[key]
    numbers[key] = number + 1
    return EntryRow(
        index=index,
        entry=build_person_entry(derive_tag(item.tag_key, number), item.commit),
        subject_id=item.chain.subject_id,
        audience=item.chain.audience,
        quarter=item.quarter,
        number=number,
        sealed=item.sealed,
        input_sealed=item.input_sealed,
        document=None,
        at=item.at,
        retention_until=item.retention_until,
        seen=item.seen,
    )
