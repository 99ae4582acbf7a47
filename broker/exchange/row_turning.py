"""The rotation of the row key: every row goes under the new key while questions go on.

Rules: the ring (`pseudonyms/row_keys.py`) says how far it is, and a restart begins a pass anew. The
old key is destroyed when a whole pass, begun after everything that was sealed under it elsewhere
is over, found nothing under it: what the ring cannot open any more, nobody can.

1. The next key is drawn, and found by. 2. When every process had time to see it, it is written
under. 3. A pass puts what lies under the old key under the new one, a bounded piece at a time, each
in one transaction. 4. What was given out under the old key ends: pages of a log in an hour, an
introduction's code within a week. 5. One more pass; then the old key is destroyed.

Turning back is the same with the two keys changed places.
Source: docs/decisions/0027; house reference "cryptography".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection

from broker.audit.records import Appendable, Appended, Job
from broker.pseudonyms.row_keys import RingState, RowKeys
from datwat.party.telemetry import get_logger
from datwat.protocol.values import encode_moment

# Every process looks at the ring each second.
SEEN_AFTER: Final = timedelta(seconds=5)
# The longest that a resident can go on with a page that was sealed before: a session's.
OVERLAP: Final = timedelta(hours=1)
_log = get_logger("keys")


class Page(NamedTuple):
    """Some rows of a table: how many, how many open under no key, what is to be written."""

    looked_at: int
    unreadable: int
    moves: Sequence[dict[str, Any]]
    after: Sequence[Any] | None
    """The key behind which the next page begins; None at the end of the table."""


class RowTables(Protocol):
    """The tables that lie under the row key, by their places 0 … count - 1."""

    count: int

    def read_page(
        self, conn: Connection, place: int, after: Sequence[Any] | None, limit: int
    ) -> Page:
        """Return the next rows of a table, with those under the older key moved."""

    def move(self, conn: Connection, place: int, moves: Sequence[dict[str, Any]]) -> int:
        """Write what was moved, where it still is what was read; return how many were."""

    def count_introductions(self, conn: Connection, given_until: datetime, now: datetime) -> int:
        """Return how many codes that were given until a moment may still be redeemed."""


class Ring(Protocol):
    """The keeper of the ring: each step is durable when it returns."""

    @property
    def keys(self) -> RowKeys:
        """The ring, as it is at each moment."""

    def turn(self, now: datetime) -> RingState:
        """Write under the target from here on."""

    def destroy(self, number: int) -> RingState:
        """Take the key that leaves out of the ring for ever."""


class JobLog(Protocol):
    """Where jobs are written."""

    async def append(self, job: Job) -> Appended:
        """Write a job and return its receipts once they are signed."""


@dataclass(slots=True)
class _Pass:
    """One walk along all tables."""

    target: int
    began_at: datetime
    place: int = 0
    after: Sequence[Any] | None = None
    looked_at: int = 0
    moved: int = 0
    unreadable: int = 0


class RowTurning:
    """Carries a rotation on; used by one task of one process at a time."""

    def __init__(
        self,
        ring: Ring,
        tables: RowTables,
        log: JobLog,
        reading: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        self._ring = ring
        self._tables = tables
        self._log = log
        self._reading = reading
        self._pass: _Pass | None = None
        self._moved = 0

    async def keep(self, now: datetime, limit: int) -> int:
        """Do the next step: a change of the ring, or at most `limit` rows of one table.

        Return how many rows were looked at, or 1 for a change; 0 if nothing is to be done now.
        Raises RowKeyError.
        """
        state = self._ring.keys.state
        if state.leaving is None or state.changed_at is None:
            self._pass = None
            return 0
        if now < state.changed_at + SEEN_AFTER:
            return 0
        if not state.is_turned:
            await asyncio.to_thread(self._ring.turn, now)
            _log.info("row_key_turned", number=state.target)
            return 1
        this = self._find_pass(state, now)
        if this is not None and this.place < self._tables.count:
            return await self._move_some(this, limit)
        if this is None or self._count_introductions(state, now):
            return 0
        await asyncio.to_thread(self._ring.destroy, state.leaving)
        _log.info("row_key_destroyed", number=state.leaving)
        return 1

    def _find_pass(self, state: RingState, now: datetime) -> _Pass | None:
        """Return the pass to go on with; None where the next one may not begin yet."""
        this = self._pass
        if this is None or this.target != state.target:
            this = self._pass = _Pass(state.target, now)
            self._moved = 0
        if this.place < self._tables.count:
            return this
        last = _derive_last(state)
        if this.began_at >= last and not this.moved:
            return this
        if now < last:
            return None
        self._pass = _Pass(state.target, now)
        return self._pass

    async def _move_some(self, this: _Pass, limit: int) -> int:
        place = this.place
        with self._reading() as conn:
            page = self._tables.read_page(conn, place, this.after, limit)

        def work(conn: Connection) -> Sequence[Appendable]:
            self._tables.move(conn, place, page.moves)
            return []

        if page.moves:
            await self._log.append(Job(work))
        this.looked_at += page.looked_at
        this.unreadable += page.unreadable
        this.moved += len(page.moves)
        self._moved += len(page.moves)
        this.after = page.after
        if page.after is None:
            this.place += 1
        return max(page.looked_at, 1)

    def _count_introductions(self, state: RingState, now: datetime) -> int:
        assert state.changed_at is not None  # noqa: S101 - a ring of two keys has a moment
        with self._reading() as conn:
            given_until = state.changed_at + SEEN_AFTER
            return self._tables.count_introductions(conn, given_until, now)

    def build_status(self, now: datetime) -> dict[str, Any]:
        """Return the lines of the row key in `keys status`."""
        state, this = self._ring.keys.state, self._pass
        said: dict[str, Any] = {"row_key": state.writes, "row_key_leaves": state.leaving}
        if state.leaving is None or state.changed_at is None:
            return {**said, "row_key_step": "none"}
        said["row_key_since"] = encode_moment(state.changed_at)
        if not state.is_turned:
            return {**said, "row_key_step": "preparing"}
        last = _derive_last(state)
        done = this.place if this else 0
        is_moving = done < self._tables.count
        codes = self._count_introductions(state, now)
        return {
            **said,
            "row_key_step": "moving" if is_moving else "waiting",
            "tables_done": done,
            "tables": self._tables.count,
            "rows_looked_at": this.looked_at if this else 0,
            "rows_moved": self._moved,
            "rows_unreadable": this.unreadable if this else 0,
            "introductions_waited_for": codes,
            "ends_not_before": encode_moment(last),
        }


def _derive_last(state: RingState) -> datetime:
    """Return from when a pass may be the last one."""
    assert state.changed_at is not None  # noqa: S101 - a ring of two keys has a moment
    return state.changed_at + OVERLAP
