"""A log begun anew in the database: every entry that is still there, in its old place, new stubs.

Rules: indexes stay, so that whatever names an entry still does; commits stay, so that contents
still open; chain keys are new, so that nobody can follow a chain from one generation to the next.
Entry 0 becomes the statement of how the generation before ended; a place whose entry is gone gets a
statement that says so, and its roll is numbered anew, for a roll with a gap proves nothing; tag
roots are computed anew. One transaction, all of it or nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, update

from broker.adapters.log_tables import (
    DataSubject,
    LogCounter,
    LogEntry,
    LogHead,
    LogNode,
    table_of,
)
from broker.adapters.oversight_tables import ActRecord
from broker.adapters.publication_tables import (
    LOG_GENERATIONS,
    LOG_PAST_ENTRIES,
    LOG_TAG_ROOTS,
    LOG_TAGS,
)
from broker.audit.ports import KekPort, NodeRow
from broker.audit.records import DELAYED_CHAIN_ID
from broker.audit.tree import Frontier
from datwat.party.tag_index import TagIndex
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.entry import (
    EntryType,
    build_person_entry,
    build_statement_entry,
    build_tag_root_entry,
    derive_leaf_hash,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.sealing import KEY_SIZE, UnsealError
from datwat.protocol.tag_tree import Leaf

_AT_ONCE = 512
_HEAD, _ENTRIES, _NODES = table_of(LogHead), table_of(LogEntry), table_of(LogNode)
_SUBJECTS, _COUNTERS = table_of(DataSubject), table_of(LogCounter)
_ACTS = table_of(ActRecord)
_CHAIN = (_ENTRIES.c.subject_id, _ENTRIES.c.audience, _ENTRIES.c.quarter, _ENTRIES.c.number)


@dataclass(frozen=True, slots=True)
class Ended:
    """The generation that ends: its last checkpoint as far as known, and what is left of it."""

    origin: str
    note: bytes
    size: int
    kept: int
    at: datetime


class Begun(NamedTuple):
    """The new generation's head, and how many places hold no entry any more."""

    size: int
    root: bytes
    gone: int


class GenerationRows:
    """Writes the next generation over the rows of the one that ends; used once."""

    def __init__(self, conn: Connection, kek: KekPort, at: datetime) -> None:
        self._conn = conn
        self._kek = kek
        self._at = at
        self._frontier = Frontier(0, ())
        self._index = TagIndex(LOG_TAGS)
        self._leaves: list[Leaf] = []
        self._nodes: list[NodeRow] = []
        self._delayed_key = os.urandom(KEY_SIZE)
        self._gone = 0
        self._next: dict[tuple[bytes, str, str], int] = {}

    def begin(self, ended: Ended, origin: str, statement: bytes) -> Begun:
        """Keep what was public of the old generation, and write the new one's entries and head."""
        self._keep_past(ended)
        self._renew_chain_keys()
        for start in range(0, ended.kept, _AT_ONCE):
            end = min(start + _AT_ONCE, ended.kept)
            self._rewrite(start, end, statement)
        if not ended.kept:
            self._rewrite(0, 1, statement)
        self._flush_nodes()
        self._write_counters()
        values = {
            "origin": origin,
            "size": self._frontier.size,
            "root": self._frontier.root,
            "delayed_chain_key_sealed": self._kek.seal(self._delayed_key, DELAYED_CHAIN_ID),
        }
        self._conn.execute(update(_HEAD).values(**values))
        return Begun(self._frontier.size, self._frontier.root, self._gone)

    def _keep_past(self, ended: Ended) -> None:
        past = select(literal(ended.origin), _ENTRIES.c.idx, _ENTRIES.c.entry)
        self._conn.execute(insert(LOG_PAST_ENTRIES).from_select(["origin", "idx", "entry"], past))
        values = {"origin": ended.origin, "note": ended.note, "size": ended.size}
        values |= {"kept": ended.kept, "ended_at": int(ended.at.timestamp()), "told": b""}
        self._conn.execute(insert(LOG_GENERATIONS), values)
        self._conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx >= max(ended.kept, 1)))
        # What witnesses vouched for stays: it is what outsiders are shown of this generation.
        # What oversight counts has the places of the earlier log: it begins anew.
        for table in (_NODES, LOG_TAGS, LOG_TAG_ROOTS, _ACTS):
            self._conn.execute(delete(table))

    def _renew_chain_keys(self) -> None:
        change = (
            update(_SUBJECTS)
            .where(_SUBJECTS.c.subject_id == bindparam("b_subject"))
            .values(chain_key_sealed=bindparam("b_sealed"))
        )
        last = b""
        while True:
            query = select(_SUBJECTS.c.subject_id).where(_SUBJECTS.c.subject_id > last)
            query = query.order_by(_SUBJECTS.c.subject_id).limit(_AT_ONCE)
            some = [row[0] for row in self._conn.execute(query)]
            if not some:
                return
            rows = [
                {"b_subject": each, "b_sealed": self._kek.seal(os.urandom(KEY_SIZE), each)}
                for each in some
            ]
            self._conn.execute(change, rows)
            last = some[-1]

    def _rewrite(self, start: int, end: int, statement: bytes) -> None:
        query = (
            select(_ENTRIES.c.idx, _ENTRIES.c.entry, *_CHAIN)
            .where(_ENTRIES.c.idx >= start, _ENTRIES.c.idx < end)
            .order_by(_ENTRIES.c.idx)
        )
        found = {row.idx: row for row in self._conn.execute(query)}
        keys = self._open_chain_keys({row.subject_id for row in found.values() if row.subject_id})
        changed, added = [], []
        for index in range(start, end):
            row = found.get(index)
            if index == 0 or row is None:
                document = statement if index == 0 else self._say_gone(index)
                entry = build_statement_entry(document)
                added.append(self._build_statement(index, entry, document))
            else:
                number = self._find_number(row)
                entry = self._carry_over(row, number, keys)
                changed.append({"b_idx": index, "b_entry": entry, "b_number": number})
            self._nodes += self._frontier.append(derive_leaf_hash(entry))
        self._write(changed, added)

    def _write(self, changed: Sequence[Any], added: Sequence[Any]) -> None:
        if added:
            indexes = [row["idx"] for row in added]
            self._conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx.in_(indexes)))
            self._conn.execute(insert(_ENTRIES), added)
        if changed:
            statement = update(_ENTRIES).where(_ENTRIES.c.idx == bindparam("b_idx"))
            given = statement.values(entry=bindparam("b_entry"), number=bindparam("b_number"))
            self._conn.execute(given, changed)
        if len(self._nodes) >= _AT_ONCE:
            self._flush_nodes()

    def _find_number(self, row: Any) -> int | None:  # noqa: ANN401 - a row
        """Return the next place of the entry's roll; None where it is in none, or it is forgotten.

        That of before, unless an entry before it in the roll is gone.
        """
        if row.number is None:
            return None
        chain_id = DELAYED_CHAIN_ID if row.audience == "delayed" else row.subject_id
        place = (chain_id, row.audience, row.quarter)
        number = self._next.get(place, 0)
        self._next[place] = number + 1
        return number

    def _write_counters(self) -> None:
        self._conn.execute(delete(_COUNTERS))
        rows = [
            {"chain_id": chain_id, "audience": audience, "quarter": quarter, "next": number}
            for (chain_id, audience, quarter), number in self._next.items()
        ]
        if rows:
            self._conn.execute(insert(_COUNTERS), rows)

    def _carry_over(
        self,
        row: Any,  # noqa: ANN401 - a row
        number: int | None,
        keys: Mapping[bytes, bytes],
    ) -> bytes:
        entry = parse_entry(row.entry)
        if entry.type is EntryType.PERSON:
            tag = self._derive_tag(row, number, keys)
            self._leaves.append((tag, row.idx))
            return build_person_entry(tag, entry.hash)
        if entry.type is EntryType.TAG_ROOT:
            size = int.from_bytes(entry.ref[:8], "big")
            return build_tag_root_entry(size, self._state_root(size))
        return bytes(row.entry)

    def _derive_tag(
        self,
        row: Any,  # noqa: ANN401 - a row
        number: int | None,
        keys: Mapping[bytes, bytes],
    ) -> bytes:
        """Return the stub of a place of the new roll; any, where the roll is forgotten."""
        key = self._delayed_key if row.audience == "delayed" else keys.get(row.subject_id or b"")
        if number is None or key is None:
            return os.urandom(KEY_SIZE)
        return derive_tag(derive_tag_key(key, row.audience, row.quarter), number)

    def _state_root(self, size: int) -> bytes:
        below = [leaf for leaf in self._leaves if leaf[1] < size]
        self._leaves = self._leaves[len(below) :]
        root = self._index.add(self._conn, below, size)
        self._index.commit()
        self._conn.execute(delete(LOG_TAG_ROOTS))
        self._conn.execute(insert(LOG_TAG_ROOTS), {"size": size, "root": root})
        return root

    def _open_chain_keys(self, subjects: set[bytes]) -> dict[bytes, bytes]:
        columns = (_SUBJECTS.c.subject_id, _SUBJECTS.c.chain_key_sealed)
        query = select(*columns).where(_SUBJECTS.c.subject_id.in_(list(subjects)))
        return {row[0]: self._kek.unseal(row[1], row[0]) for row in self._conn.execute(query)}

    def _say_gone(self, index: int) -> bytes:
        self._gone += 1
        return encode_canonical({"v": 1, "type": "entry_gone", "index": index})

    def _build_statement(self, index: int, entry: bytes, document: bytes) -> dict[str, Any]:
        empty = dict.fromkeys(column.name for column in _ENTRIES.c)
        return {**empty, "idx": index, "entry": entry, "document": document, "at": self._at}

    def _flush_nodes(self) -> None:
        rows = [
            {"level": node.level, "idx": node.index, "hash": node.hash}
            for node in self._nodes
            if node.level
        ]
        if rows:
            self._conn.execute(insert(_NODES), rows)
        self._nodes = []


class SqlGenerationNotices:
    """Implements `broker.audit.generation_notice.NoticeStore`."""

    def find_untold(self, conn: Connection) -> tuple[str, bytes] | None:
        """Return a generation whose end not everybody was told of, and who was told last."""
        columns = (LOG_GENERATIONS.c.origin, LOG_GENERATIONS.c.told)
        query = select(*columns).where(LOG_GENERATIONS.c.told.is_not(None)).limit(1)
        row = conn.execute(query).first()
        return None if row is None else (row[0], row[1])

    def list_subjects(self, conn: Connection, after: bytes, limit: int) -> list[bytes]:
        """Return the next subjects, in the order of their ids."""
        query = select(_SUBJECTS.c.subject_id).where(_SUBJECTS.c.subject_id > after)
        query = query.order_by(_SUBJECTS.c.subject_id).limit(limit)
        return [row[0] for row in conn.execute(query)]

    def note_told(self, conn: Connection, origin: str, last: bytes | None) -> None:
        """Write who was told last; None: everybody was."""
        of_this = LOG_GENERATIONS.c.origin == origin
        conn.execute(update(LOG_GENERATIONS).where(of_this).values(told=last))


def count_chain_keys(conn: Connection, kek: KekPort) -> tuple[int, int]:
    """Return how many chain keys, the auditor's too, open, and how many do not."""
    keys = [(DELAYED_CHAIN_ID, conn.execute(select(_HEAD.c.delayed_chain_key_sealed)).scalar_one())]
    query = select(_SUBJECTS.c.subject_id, _SUBJECTS.c.chain_key_sealed)
    counts = [0, 0]
    for chain_id, sealed in chain(keys, conn.execute(query)):
        try:
            kek.unseal(bytes(sealed), bytes(chain_id))
            counts[0] += 1
        except UnsealError:
            counts[1] += 1
    return counts[0], counts[1]


def list_missing(conn: Connection, size: int) -> Iterator[int]:
    """Yield the places of log[0:size) that hold no entry."""
    for start in range(0, size, _AT_ONCE):
        end = min(start + _AT_ONCE, size)
        query = select(_ENTRIES.c.idx).where(_ENTRIES.c.idx >= start, _ENTRIES.c.idx < end)
        held = {row[0] for row in conn.execute(query)}
        yield from (index for index in range(start, end) if index not in held)
