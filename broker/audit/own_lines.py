"""Entries of one person as whoever asks could read them: with their rows, and nothing delayed.

Rule: what is nobody's, another's, in another chain, or ended, is one and the same: not there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection

from broker.audit.payloads import Record, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.sealing import Sealing

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a person with what it says."""

    row: EntryRow = field(repr=False)
    record: Record = field(repr=False)


class OwnLines:
    """Reads entries of one person in the chains that are named; blocking."""

    def __init__(self, store: LogStore, sealing: Sealing) -> None:
        self._store = store
        self._sealing = sealing

    def find(
        self, conn: Connection, subject_id: bytes, number: int, audiences: Collection[str]
    ) -> Line | None:
        """Return the entry at an index; None if it is nobody's, another's, delayed, or ended."""
        row = self._store.find_entry(conn, number)
        if row is None or row.subject_id != subject_id or row.audience not in audiences:
            return None
        (content,) = self._sealing.open_contents(conn, subject_id, [row])
        return Line(row, parse_payload(content.payload)) if content else None

    def read_since(
        self, conn: Connection, subject_id: bytes, audiences: Collection[str], index: int
    ) -> list[Line]:
        """Return the entries in these chains after an index, oldest first."""
        found: list[Line] = []
        before: int | None = None
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, audiences, limit=_BATCH, before=before
            )
            later = [row for row in rows if row.index > index]
            contents = self._sealing.open_contents(conn, subject_id, later)
            found += [
                Line(row, parse_payload(content.payload))
                for row, content in zip(later, contents, strict=True)
                if content is not None
            ]
            if len(later) < _BATCH:
                return found[::-1]
            before = later[-1].index
