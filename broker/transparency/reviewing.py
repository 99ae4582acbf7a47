"""Reviewing: lists that are counted beside the questions, samples, and findings.

Rules: a list is counted in a thread and kept until it is counted again, so that a page shows it at
once with the moment that it is of; nothing here acts on anybody; a finding is written by a named
officer, says what came of it, and ends. What a list shows of an entry is its number: looking at it
is `Looks.record_entry`. Source: AVG 5(2), 24, 32(1)(d); docs/decisions/0021.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from pydantic import Field
from sqlalchemy import Connection

from broker.audit.ended import JobLog
from broker.audit.proofs import Proofs
from broker.audit.records import Appendable, Job, Statement
from broker.pseudonyms.subjects import draw_id
from broker.transparency.oversight import (
    LISTS,
    MOST_ROWS,
    ListCode,
    ReviewRow,
    Why,
    find_rows,
)
from broker.transparency.oversight_figures import Figures, OversightCounts, Window
from broker.transparency.sampling import (
    SEED_LENGTH,
    Draw,
    build_announcement,
    build_drawn,
    rank_entries,
)
from datwat.party.errors import PartyError
from datwat.protocol.checkpoint import parse_checkpoint
from datwat.protocol.values import PartyId, PlainText, ShortText, StaffId, Value

SAMPLE_SIZE: Final = 25
KEPT: Final = timedelta(days=730)
MOST_FINDINGS: Final = 200
FindingOutcome = Literal[
    "nothing_wrong", "explained", "asked", "reported", "data_breach", "rule_to_change"
]
Reading = Callable[[], AbstractContextManager[Connection]]


class SampleEmptyError(PartyError):
    """Nothing was written since the seed was stated."""

    code = "sample_empty"
    default_detail = "Since the seed was stated nothing was logged that can be drawn: wait."


class FindingWords(Value):
    """The sealed words of a finding: who found it, about what, and what was seen and done."""

    by: StaffId = Field(repr=False)
    role: ShortText
    partner: PartyId | None = None
    who: str | None = Field(default=None, pattern=r"^[2-9A-HJ-NP-Z]{6}$")
    entries: tuple[int, ...] = Field(default=(), max_length=20)
    note: PlainText = Field(repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What an officer found, and its outcome."""

    id: bytes
    review: ListCode
    found_at: datetime
    until_at: datetime
    outcome: FindingOutcome
    words: FindingWords = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReviewList:
    """A list as it was counted at a moment; `is_full` where there may be more rows."""

    code: ListCode
    at: datetime
    rows: tuple[ReviewRow, ...]

    @property
    def is_full(self) -> bool:
        """Whether it is as long as a list is at most."""
        return len(self.rows) >= MOST_ROWS


class OversightRows(Protocol):
    """The rows that officers make: draws and findings."""

    def add_draw(self, conn: Connection, draw: Draw) -> None:
        """Write a draw whose seed is stated now."""

    def close_draw(self, conn: Connection, draw: Draw) -> None:
        """Write what was drawn; raise RaceLost where somebody else drew it."""

    def list_draws(self, conn: Connection, now: datetime) -> list[Draw]:
        """Return the draws, the newest first."""

    def add_finding(self, conn: Connection, finding: Finding) -> None:
        """Write a finding."""

    def list_findings(self, conn: Connection, now: datetime, limit: int) -> list[Finding]:
        """Return the findings, the newest first."""


class Entries(OversightCounts, Protocol):
    """The counts, and the entries that rows and samples begin with."""

    def fetch_examples(
        self,
        conn: Connection,
        code: str,
        window: Window,
        *,
        professionals: Sequence[int] = (),
        subjects: Sequence[int] = (),
    ) -> dict[tuple[int | None, int | None], tuple[int, ...]]:
        """Return the newest entries by (professional, None) and (None, subject)."""
        ...

    def list_indexes(self, conn: Connection, first: int, size: int, now: datetime) -> list[int]:
        """Return the entries of log[first:size) that a sample may be drawn from."""
        ...


class Reviewing:
    """Counts lists, draws samples, keeps findings; one object per process."""

    def __init__(
        self,
        *,
        counts: Entries,
        rows: OversightRows,
        log: JobLog,
        proofs: Proofs,
        reading: Reading,
        clock: Callable[[], datetime],
    ) -> None:
        self._counts = counts
        self._rows = rows
        self._log = log
        self._proofs = proofs
        self._reading = reading
        self._clock = clock
        self._kept: dict[ListCode, ReviewList] = {}
        self._running: dict[ListCode, asyncio.Task[ReviewList]] = {}

    def read(self, code: ListCode) -> ReviewList | None:
        """Return a list as it was last counted; None where it was not counted yet."""
        return self._kept.get(code)

    async def refresh(self, code: ListCode) -> ReviewList:
        """Count a list now; whoever asks for the same one meanwhile waits for the same count."""
        running = self._running.get(code)
        if running is None:
            running = asyncio.ensure_future(self._count(code))
            self._running[code] = running
            running.add_done_callback(lambda _: self._running.pop(code, None))
        return await asyncio.shield(running)

    async def _count(self, code: ListCode) -> ReviewList:
        found = await asyncio.to_thread(self.count, code)
        self._kept[code] = found
        return found

    def count(self, code: ListCode) -> ReviewList:
        """Count a list in the thread of the caller."""
        now = self._now()
        with self._reading() as conn:
            if code == "sample":
                return ReviewList(code, now, self._list_sample(conn, now))
            window = Window(now)
            rows = find_rows(code, self._fetch(conn, code, window))
            return ReviewList(code, now, self._add_entries(conn, code, rows, window))

    def _fetch(self, conn: Connection, code: ListCode, window: Window) -> Figures:
        """Return what one list needs, and nothing else: each is a pass over the acts."""
        counts, found = self._counts, Figures(window)
        if code in {"volume", "hours", "refused", "relations", "guessing"}:
            found = replace(found, tallies=counts.fetch_tallies(conn, window))
        if code == "nothing":
            found = replace(found, occasions=counts.fetch_occasions(conn, window))
        if code == "refused":
            found = replace(found, repeated=counts.fetch_repeated(conn, window))
        if code == "sides":
            found = replace(found, sides=counts.fetch_sides(conn, window))
        if code == "relations":
            found = replace(found, colleagues=counts.fetch_colleagues(conn, window))
        if code == "guessing":
            found = replace(found, quotas=counts.fetch_quotas(conn, window))
        return found

    def _add_entries(
        self, conn: Connection, code: ListCode, rows: Sequence[ReviewRow], window: Window
    ) -> tuple[ReviewRow, ...]:
        staff = [one.professional for one in rows if one.professional is not None]
        alone = [one for one in rows if one.professional is None]
        subjects = [one.subject for one in alone if one.subject is not None]
        found = self._counts.fetch_examples(
            conn, code, window, professionals=staff, subjects=subjects
        )
        return tuple(replace(row, entries=found.get(_key(row), ())) for row in rows)

    def _list_sample(self, conn: Connection, now: datetime) -> tuple[ReviewRow, ...]:
        """Return the newest draw, in the order of the lot."""
        drawn = next((one for one in self._rows.list_draws(conn, now) if one.drawn_at), None)
        return tuple(
            ReviewRow("sample", None, None, Why("sample", {"place": place}), (index,))
            for place, index in enumerate(drawn.chosen if drawn else (), 1)
        )

    def list_draws(self) -> list[Draw]:
        """Return the draws, the newest first."""
        with self._reading() as conn:
            return self._rows.list_draws(conn, self._now())

    async def draw_sample(self, count: int = SAMPLE_SIZE) -> Draw:
        """Draw from what was logged since the seed was stated, and state the next seed.

        The first time nothing is drawn: only a seed is stated, and returned. Raises
        SampleEmptyError, LogError, and RaceLost where somebody else draws at this moment.
        """
        now, head = self._now(), self._proofs.read_head()
        root = parse_checkpoint(head.note.partition("\n\n")[0] + "\n").root
        following = self._announce(now, head.size)
        open_draw = await asyncio.to_thread(self._find_open)
        drawn: Draw | None = None
        if open_draw is not None:
            indexes = await asyncio.to_thread(self._list_indexes, open_draw.first, head.size, now)
            if not indexes:
                raise SampleEmptyError
            chosen = await asyncio.to_thread(rank_entries, open_draw.seed, root, indexes, count)
            drawn = replace(open_draw, drawn_at=now, size=head.size, root=root, chosen=chosen)

        def work(conn: Connection) -> Sequence[Appendable]:
            said = [Statement(build_announcement(following), now)]
            if drawn is not None:
                self._rows.close_draw(conn, drawn)
                said.insert(0, Statement(build_drawn(drawn), now))
            self._rows.add_draw(conn, following)
            return said

        await self._log.append(Job(work))
        self._kept.pop("sample", None)
        return drawn or following

    def _announce(self, now: datetime, first: int) -> Draw:
        return Draw(draw_id(), now, first, now + KEPT, os.urandom(SEED_LENGTH))

    def _find_open(self) -> Draw | None:
        return next((one for one in self.list_draws() if one.drawn_at is None), None)

    def _list_indexes(self, first: int, size: int, now: datetime) -> list[int]:
        with self._reading() as conn:
            return self._counts.list_indexes(conn, first, size, now)

    async def add_finding(
        self, review: ListCode, outcome: FindingOutcome, words: FindingWords
    ) -> Finding:
        """Write what an officer found, and what came of it; it ends after `KEPT`."""
        now = self._now()
        finding = Finding(draw_id(), review, now, now + KEPT, outcome, words)

        def work(conn: Connection) -> Sequence[Appendable]:
            self._rows.add_finding(conn, finding)
            return []

        await self._log.append(Job(work))
        return finding

    def list_findings(self) -> list[Finding]:
        """Return the findings, the newest first, at most `MOST_FINDINGS`."""
        with self._reading() as conn:
            return self._rows.list_findings(conn, self._now(), MOST_FINDINGS)

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)


def require_list(code: str) -> ListCode:
    """Return a list's code; raise ListUnknownError for any other word."""
    for known in LISTS:
        if code == known:
            return known
    raise ListUnknownError


class ListUnknownError(PartyError):
    """No such review list."""

    code = "list_unknown"
    default_detail = f"There is no such list: choose one of {', '.join(LISTS)}."


def _key(row: ReviewRow) -> tuple[int | None, int | None]:
    return (row.professional, None) if row.professional is not None else (None, row.subject)
