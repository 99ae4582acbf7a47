"""What a completeness bundle is read from: the rows of a roll, and the public bytes around them.

Rule: contents that are gone leave their place: the entry is shown by what it commits to. The
auditor sees of a delayed entry the hashes of its halves, and neither half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ValidationError
from sqlalchemy import Connection

from broker.audit.ports import EntryRow
from broker.audit.publication import ProofBase
from broker.audit.records import LogDamagedError
from broker.transparency.proof_paths import Paths
from datwat.protocol.completeness import (
    EarlierEntry,
    Roll,
    RollEntry,
    StatedEntry,
    TagRoot,
)
from datwat.protocol.deliveries import OpenedCore
from datwat.protocol.entry import Audience, Content, derive_tag, parse_entry
from datwat.protocol.tag_tree import TagProof

_BATCH = 500


class RawEntries(Protocol):
    """The public bytes of the log."""

    def fetch_entries(
        self, connection: Connection, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of the entries of log[start:end) that are there, in order."""
        ...


@dataclass(slots=True)
class GatheredRoll:
    """One roll while it is gathered: its key, its rows by place, and what lies sealed in each."""

    audience: Audience
    quarter: str
    tag_key: bytes = field(repr=False)
    rows: list[EntryRow] = field(default_factory=list, repr=False)
    contents: list[Content | None] = field(default_factory=list, repr=False)

    @property
    def tags(self) -> list[bytes]:
        """The stubs of all places, and of the next one."""
        return [derive_tag(self.tag_key, place) for place in range(len(self.rows) + 1)]


@dataclass(frozen=True, slots=True)
class Stated:
    """An entry that states something of a delayed one, with what it holds."""

    row: EntryRow = field(repr=False)
    content: Content = field(repr=False)


@dataclass(frozen=True, slots=True)
class Beside:
    """What states the term of a delayed entry, opened it, and told that its contents ended."""

    terms: tuple[Stated, ...] = ()
    opening: Stated | None = None
    ended: Stated | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the members of a bundle are read from, in one view of the database."""

    conn: Connection = field(repr=False)
    source: RawEntries
    paths: Paths
    opened: dict[int, OpenedCore]
    beside: dict[int, Beside] = field(repr=False)

    def raw(self, start: int, end: int) -> Iterable[bytes]:
        """Yield the public bytes of log[start:end)."""
        for first in range(start, end, _BATCH):
            last = min(first + _BATCH, end)
            for _, entry in self.source.fetch_entries(self.conn, first, last):
                yield entry

    def find_earlier(self, index: int) -> EarlierEntry | None:
        """Return where the entry lies that the one at `index` opens."""
        core = self.opened.get(index)
        if core is None:
            return None
        (entry,) = self.raw(core.index, core.index + 1)
        path = self.paths.path(core.index)
        return EarlierEntry.model_construct(tag=parse_entry(entry).ref, path=path)

    def find_beside(self, index: int) -> Beside:
        """Return what is shown beside the delayed entry at `index`."""
        return self.beside.get(index, Beside())

    def build_stated(self, stated: Stated) -> StatedEntry:
        """Return an entry as it states something: its core, and where it lies."""
        return StatedEntry.model_construct(
            index=stated.row.index,
            tag=parse_entry(stated.row.entry).ref,
            core=stated.content.core,
            payload_hash=stated.content.payload_hash,
            path=self.paths.path(stated.row.index),
        )


def give_out(rolls: Sequence[GatheredRoll], rows: Iterable[EntryRow]) -> None:
    """Put rows, in the order of the log, into the rolls that were asked for.

    Raises:
        LogDamagedError: a place of a roll is not there.
    """
    by_name = {(roll.audience, roll.quarter): roll for roll in rolls}
    for row in rows:
        roll = by_name.get((row.audience, row.quarter))  # type: ignore[arg-type] # None finds none
        if roll is None:
            continue
        if row.number != len(roll.rows):
            raise LogDamagedError
        roll.rows.append(row)


def list_opened(roll: GatheredRoll) -> Iterator[tuple[EntryRow, OpenedCore]]:
    """Yield the rows of a roll that open a delayed entry, with what they open."""
    for row, content in zip(roll.rows, roll.contents, strict=True):
        core = find_opened(content)
        if core is not None:
            yield row, core


def find_opened(content: Content | None) -> OpenedCore | None:
    """Return the core of an entry that opens another; None for any other entry."""
    if content is None or b'"opened"' not in content.core:
        return None
    try:
        return OpenedCore.model_validate_json(content.core)
    except ValidationError:
        return None


def build_root(base: ProofBase, paths: Paths) -> TagRoot | None:
    """Return where the log states the tag root that is used."""
    if base.tag_index is None:
        return None
    return TagRoot.model_construct(
        index=base.tag_index,
        size=base.tag_size,
        root=base.tag_root,
        path=paths.path(base.tag_index),
    )


def build_roll(roll: GatheredRoll, read: Reading, proofs: Iterator[TagProof]) -> Roll:
    """Return a roll with a proof for each of its places, and for the next one."""
    entries = tuple(
        _build_entry(place, row, content, next(proofs), read)
        for place, (row, content) in enumerate(zip(roll.rows, roll.contents, strict=True))
    )
    return Roll.model_construct(
        audience=roll.audience,
        quarter=roll.quarter,
        tag_key=roll.tag_key,
        entries=entries,
        end=next(proofs),
    )


def _build_entry(
    number: int, row: EntryRow, content: Content | None, place: TagProof, read: Reading
) -> RollEntry:
    beside = read.find_beside(row.index)
    entry = RollEntry.model_construct(
        n=number,
        index=row.index,
        path=read.paths.path(row.index),
        place=place,
        earlier=read.find_earlier(row.index),
        terms=tuple(map(read.build_stated, beside.terms)),
        opening=read.build_stated(beside.opening) if beside.opening else None,
        ended=read.build_stated(beside.ended) if beside.ended and content is None else None,
    )
    halves: dict[str, bytes]
    if content is None:
        halves = {"commit": parse_entry(row.entry).hash}
    elif row.audience == "delayed":
        core_hash = hashlib.sha256(content.core).digest()
        halves = {"core_hash": core_hash, "payload_hash": content.payload_hash}
    else:
        halves = {"core": content.core, "salt": content.salt, "payload": content.payload}
    return entry.model_copy(update=halves)
