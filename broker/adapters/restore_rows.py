"""Putting the rows of a backup back into an empty database, and building what follows from them.

Rule: what was left out is computed, never believed: the tree is built from the entries and must
give the root that the backup states; each table must have the columns that its rows have.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, insert

from broker.adapters.backup import is_binary, list_tables
from broker.adapters.backup_file import BackupError, BackupHeader, Line
from broker.adapters.log_tables import LogNode, table_of
from broker.adapters.publication_tables import LOG_TAGS
from broker.audit.ports import NodeRow
from broker.audit.tree import Frontier
from datwat.protocol.entry import TAG_PLACE, EntryType, derive_leaf_hash
from datwat.protocol.values import decode_bytes

_AT_ONCE = 500
_NODES = table_of(LogNode)


class TreeBuilder:
    """Grows the tree over entries in order, writes its nodes, and collects the tags."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._frontier = Frontier(0, ())
        self._nodes: list[NodeRow] = []
        self._tags: list[tuple[bytes, int]] = []

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._frontier.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._frontier.root

    def add(self, entry: bytes) -> None:
        """Append one entry."""
        if entry[1] == EntryType.PERSON:
            self._tags.append((entry[TAG_PLACE], self._frontier.size))
        self._nodes += [
            node for node in self._frontier.append(derive_leaf_hash(entry)) if node.level
        ]
        if len(self._nodes) >= _AT_ONCE:
            self._flush()

    def finish(self) -> None:
        """Write what is not written yet, the tags in their order."""
        self._flush()
        for start in range(0, len(self._tags), _AT_ONCE * 20):
            if start == 0:
                self._tags.sort()
            some = self._tags[start : start + _AT_ONCE * 20]
            rows = [{"tag": tag, "idx": index} for tag, index in some]
            self._conn.execute(insert(LOG_TAGS), rows)

    def _flush(self) -> None:
        if self._nodes:
            rows = [{"level": n.level, "idx": n.index, "hash": n.hash} for n in self._nodes]
            self._conn.execute(insert(_NODES), rows)
            self._nodes = []


class RowLoader:
    """Takes the lines of a backup, in order, and writes their rows."""

    def __init__(self, conn: Connection, tree: TreeBuilder) -> None:
        self._conn = conn
        self._tree = tree
        self._tables = {table.name: table for table in list_tables(conn)}
        self._table: Table | None = None
        self._names: list[str] = []
        self._binary: list[bool] = []
        self._rows: list[dict[str, Any]] = []

    def take(self, line: Line) -> None:
        """Take one line; raise BackupError where it does not fit this database."""
        if isinstance(line, list):
            self._take_row(line)
            return
        self._flush()
        if "rows" in line:
            return
        table = self._tables.get(str(line.get("table")))
        names = line.get("columns")
        if table is None or not isinstance(names, list) or set(names) != set(table.c.keys()):
            raise BackupError
        # A migration may have put a first row in a table, such as the one that names the epoch.
        self._conn.execute(delete(table))
        self._table = table
        self._names = names
        self._binary = [is_binary(table.c[name]) for name in names]

    def finish(self, header: BackupHeader) -> None:
        """Raise BackupError unless the entries give the tree that the header states."""
        self._flush()
        if (self._tree.size, self._tree.root) != (header.size, header.root):
            raise BackupError("The entries of this backup do not give the root that it states.")

    def _take_row(self, values: list[Any]) -> None:
        if self._table is None or len(values) != len(self._names):
            raise BackupError
        row = {
            name: decode_bytes(value) if flag and value is not None else value
            for name, value, flag in zip(self._names, values, self._binary, strict=True)
        }
        if self._table.name == "log_entries":
            if row["idx"] != self._tree.size:
                raise BackupError
            self._tree.add(row["entry"])
        self._rows.append(row)
        if len(self._rows) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._rows and self._table is not None:
            self._conn.execute(insert(self._table), self._rows)
        self._rows = []
