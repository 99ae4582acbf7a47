"""Finding, among a person's entries, those that tell of something: by moment, or one by one.

Rules: only the chains that are asked for are read, so that what waits in another differs in
nothing; an entry whose contents are gone is told as gone, and never guessed. What an opened entry
tells is the earlier one, under the index of the one that opened it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.payloads import Detail, Record, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.sealing import Sealing

_BATCH = 500
# Of one person; beyond it a list says that it is not whole.
MOST_READ = 20_000
_START = 96
# Entries lie in the order of writing; their moments are those of admission, a little before.
_DISORDER = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class ToldLine:
    """What one entry tells, its index, and when it was written (an opened one: again)."""

    index: int
    at: datetime
    told: Record = field(repr=False)

    @property
    def ids(self) -> frozenset[bytes]:
        """The rows of consent, objection, block and question that it tells of."""
        return derive_ids(self.told.detail)


@dataclass(frozen=True, slots=True)
class Found:
    """Lines, newest first; the moments of entries whose contents are gone; whether all was read."""

    lines: Sequence[ToldLine]
    gone: frozenset[datetime] = frozenset()
    is_whole: bool = True


def derive_ids(detail: Detail | None) -> frozenset[bytes]:
    """Return the ids of rows that a detail names."""
    if detail is None:
        return frozenset()
    named = (detail.consent_id, detail.objection_id, detail.block_id, detail.question_id)
    return frozenset(one for one in named if one is not None)


class ToldLines:
    """Reads what a person's entries tell; blocking."""

    def __init__(self, store: LogStore, sealing: Sealing) -> None:
        self._store = store
        self._sealing = sealing

    def read_at(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        moments: Collection[datetime],
    ) -> Found:
        """Return what was written at these moments."""
        if not moments:
            return Found(())
        lines: list[ToldLine] = []
        gone: set[datetime] = set()
        first, is_whole = min(moments), True
        for rows, more in self._read_rows(conn, subject_id, audiences):
            wanted = [row for row in rows if row.at in moments]
            lines += self._open(conn, subject_id, wanted, (), gone)
            if rows[-1].at < first - _DISORDER:
                return Found(lines, frozenset(gone))
            is_whole = not more
        return Found(lines, frozenset(gone), is_whole)

    def read_all(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        events: Collection[str] = (),
        since: datetime | None = None,
    ) -> Found:
        """Return everything since a moment that tells of one of these events, or of any."""
        lines: list[ToldLine] = []
        gone: set[datetime] = set()
        is_whole = True
        for rows, more in self._read_rows(conn, subject_id, audiences):
            wanted = [row for row in rows if since is None or row.at >= since]
            lines += self._open(conn, subject_id, wanted, events, gone)
            if since is not None and rows[-1].at < since - _DISORDER:
                return Found(lines, frozenset(gone))
            is_whole = not more
        return Found(lines, frozenset(gone), is_whole)

    def _read_rows(
        self, conn: Connection, subject_id: bytes, audiences: Collection[str]
    ) -> Iterator[tuple[Sequence[EntryRow], bool]]:
        """Yield the rows newest first, in batches, each with whether some are left unread."""
        before: int | None = None
        read = 0
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, audiences, limit=_BATCH, before=before
            )
            read += len(rows)
            is_last = len(rows) < _BATCH or read >= MOST_READ
            if rows:
                yield rows, is_last and len(rows) == _BATCH
            if is_last:
                return
            before = rows[-1].index

    def _open(
        self,
        conn: Connection,
        subject_id: bytes,
        rows: Sequence[EntryRow],
        events: Collection[str],
        gone: set[datetime],
    ) -> list[ToldLine]:
        """Return what rows tell of these events; `gone` gets the moments of what is gone."""
        contents = self._sealing.open_contents(conn, subject_id, rows)
        found = []
        for row, content in zip(rows, contents, strict=True):
            if content is None:
                gone.add(row.at)
                continue
            if not _may_tell(content.payload, events):
                continue
            told = parse_payload(content.payload).told
            if not events or told.event in events:
                found.append(ToldLine(row.index, row.at, told))
        return found


def _may_tell(payload: bytes, events: Collection[str]) -> bool:
    """Tell whether it is worth reading: each record names its event near its beginning."""
    if not events:
        return True
    start = payload[:_START]
    return any(f'"event":"{event}"'.encode() in start for event in (*events, "opened"))
