"""Reading back, from a mirror's tiles, the entries that were written after a backup.

Rules: entries are public, so anybody's mirror will do, and the root that the ratchet holds says
whether they are the ones that were signed. Whose they are is found as their person would find them:
by the next stub of each roll. A stub that no known roll has is of a person who came after the
backup, or of the auditor's roll, which names nobody. Contents are gone; places and counters go on.
A chain key that does not open costs its own roll only: it is counted, never named.
Source: C2SP tlog-tiles; house reference "audit-log", Chains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from broker.adapters.backup_file import BackupError
from broker.adapters.log_tables import (
    DataSubject,
    LogCounter,
    LogEntry,
    LogHead,
    LostEntry,
    table_of,
)
from broker.adapters.publication_tables import LOG_TAG_ROOTS
from broker.adapters.restore_rows import TreeBuilder
from broker.audit.ports import KekPort
from broker.audit.records import DELAYED_CHAIN_ID
from datwat.protocol.entry import (
    Audience,
    EntryType,
    derive_quarter,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.sealing import UnsealError
from datwat.protocol.tiles import TILE_WIDTH, TilePath, decode_bundle

# Nobody knows the end of what is lost: as long as the longest retention, its chain stays.
_KEPT = timedelta(days=7_400)
_ENTRIES, _COUNTERS, _LOST = table_of(LogEntry), table_of(LogCounter), table_of(LostEntry)
_SUBJECTS, _HEAD = table_of(DataSubject), table_of(LogHead)
_QUARTER = timedelta(days=80)


@dataclass(frozen=True, slots=True)
class Found:
    """Whose place an entry is."""

    subject_id: bytes = field(repr=False)
    audience: Audience
    quarter: str
    number: int


@dataclass(frozen=True, slots=True)
class Lost:
    """How many entries came back without content, and how many of them name nobody known.

    `rolls` persons have a chain key that does not open, so that some of the unknown may be theirs;
    `delayed` says the same of the auditor's roll.
    """

    entries: int = 0
    unknown: int = 0
    rolls: int = 0
    delayed: bool = False


def read_mirror(folder: Path, start: int, end: int) -> Iterator[bytes]:
    """Yield the entries of log[start:end) from a mirror's folder.

    Raises BackupError where the folder does not have them, whole.
    """
    for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
        first = index * TILE_WIDTH
        bundle = _read_bundle(folder, index, end - first)
        yield from bundle[max(start - first, 0) : end - first]


def _read_bundle(folder: Path, index: int, needed: int) -> list[bytes]:
    """Return the entries of the narrowest bundle that has as many as are needed."""
    for width in range(min(needed, TILE_WIDTH), TILE_WIDTH + 1):
        path = folder / TilePath(level=None, index=index, width=width).text
        if path.is_file():
            try:
                return decode_bundle(path.read_bytes(), width)
            except (OSError, ProtocolError):
                break
    raise BackupError(
        "The mirror does not hold every entry that was signed: bring it up to date with "
        "`datwat log mirror`, or use another one."
    )


def add_lost(
    conn: Connection,
    tree: TreeBuilder,
    entries: Iterable[bytes],
    kek: KekPort,
    *,
    since: datetime,
    now: datetime,
) -> Lost:
    """Append entries without their contents, and find whose they are; raise KeyStoreError."""
    rows: list[dict[str, Any]] = []
    for entry in entries:
        rows.append(_build_row(tree.size, entry, since))
        tree.add(entry)
    by_tag = {
        parse_entry(row["entry"]).ref: row
        for row in rows
        if parse_entry(row["entry"]).type is EntryType.PERSON
    }
    finder = _Finder(conn, kek, set(by_tag), _list_quarters(since, now))
    for tag, found in finder.find_all():
        named = found.audience != "delayed"
        by_tag[tag] |= {
            "subject_id": found.subject_id,
            "audience": found.audience,
            "quarter": found.quarter,
            "number": found.number,
            "retention_until": now + _KEPT if named else None,
        }
    if rows:
        conn.execute(insert(_ENTRIES), rows)
    _write_counters(conn, finder.counters)
    _write_roots(conn, rows)
    told = [row for row in rows if row["retention_until"] is not None]
    if told:
        conn.execute(insert(_LOST), [_build_lost(row) for row in told])
    conn.execute(update(_HEAD).values(size=tree.size, root=tree.root))
    unknown = sum(row["subject_id"] is None for row in by_tag.values())
    return Lost(len(rows), unknown, finder.unreadable, finder.delayed_unreadable)


def _build_row(index: int, entry: bytes, at: datetime) -> dict[str, Any]:
    empty = ("subject_id", "audience", "quarter", "number", "sealed", "input_sealed", "document")
    row: dict[str, Any] = dict.fromkeys(empty)
    return row | {"idx": index, "entry": entry, "at": at, "retention_until": None}


def _build_lost(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("idx", "subject_id", "audience", "at")}


def _list_quarters(since: datetime, now: datetime) -> list[str]:
    quarters = {derive_quarter(since), derive_quarter(now)}
    while since < now:
        quarters.add(derive_quarter(since))
        since += _QUARTER
    return sorted(quarters)


class _Finder:
    """Walks every roll on from where the backup left it."""

    def __init__(
        self, conn: Connection, kek: KekPort, tags: set[bytes], quarters: Sequence[str]
    ) -> None:
        self.counters: dict[tuple[bytes, str, str], int] = {}
        self.unreadable = 0
        self.delayed_unreadable = False
        self._conn = conn
        self._kek = kek
        self._tags = tags
        self._quarters = quarters

    def find_all(self) -> Iterator[tuple[bytes, Found]]:
        """Yield each stub with whose it is; go past a roll whose key does not open."""
        sealed = self._conn.execute(select(_HEAD.c.delayed_chain_key_sealed)).scalar_one()
        delayed = self._find_key(DELAYED_CHAIN_ID, sealed)
        self.delayed_unreadable = delayed is None
        if delayed is not None:
            yield from self._walk(DELAYED_CHAIN_ID, delayed, ("delayed",))
        for subject_id, sealed in self._conn.execute(
            select(_SUBJECTS.c.subject_id, _SUBJECTS.c.chain_key_sealed)
        ):
            key = self._find_key(bytes(subject_id), sealed)
            if key is None:
                self.unreadable += 1
            elif self._tags:
                yield from self._walk(bytes(subject_id), key, ("open", "own"))

    def _find_key(self, chain_id: bytes, sealed: bytes) -> bytes | None:
        """Return a chain key; None where it does not open: the key is damaged, or not the KEK's."""
        try:
            return self._kek.unseal(bytes(sealed), chain_id)
        except UnsealError:
            return None

    def _walk(
        self, chain_id: bytes, chain_key: bytes, audiences: Sequence[Audience]
    ) -> Iterator[tuple[bytes, Found]]:
        for audience in audiences:
            for quarter in self._quarters:
                key = derive_tag_key(chain_key, audience, quarter)
                first = number = self._read_next(chain_id, audience, quarter)
                while (tag := derive_tag(key, number)) in self._tags:
                    self._tags.remove(tag)
                    yield tag, Found(chain_id, audience, quarter, number)
                    number += 1
                if number > first:
                    self.counters[chain_id, audience, quarter] = number

    def _read_next(self, chain_id: bytes, audience: str, quarter: str) -> int:
        query = select(_COUNTERS.c.next).where(
            _COUNTERS.c.chain_id == chain_id,
            _COUNTERS.c.audience == audience,
            _COUNTERS.c.quarter == quarter,
        )
        return int(self._conn.execute(query).scalar() or 0)


def _write_counters(conn: Connection, counters: dict[tuple[bytes, str, str], int]) -> None:
    for (chain_id, audience, quarter), number in counters.items():
        place = {"chain_id": chain_id, "audience": audience, "quarter": quarter}
        this = (_COUNTERS.c[name] == value for name, value in place.items())
        conn.execute(delete(_COUNTERS).where(*this))
        conn.execute(insert(_COUNTERS), place | {"next": number})


def _write_roots(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write the roots over all tags that these entries state."""
    for row in rows:
        entry = parse_entry(row["entry"])
        if entry.type is EntryType.TAG_ROOT:
            size = int.from_bytes(entry.ref[:8], "big")
            conn.execute(delete(LOG_TAG_ROOTS).where(LOG_TAG_ROOTS.c.size == size))
            conn.execute(insert(LOG_TAG_ROOTS), {"size": size, "root": entry.hash})
