"""Turns the broker's pseudonyms to another epoch of the key holder, beside the questions.

Rules: δ is asked of the key holder by every process that may need it, and lies in memory only; rows
are turned a batch at a time, each batch in a transaction of its own through the log's writer, so
that whoever is killed goes on where it was; nothing is turned by a δ that the trust list's two
public keys do not prove; whether all are turned is read from the database, and never remembered:
who keeps house changes at any time, and what is left at the end is lost. Source: house reference
"cryptography", Rotation without BSN; docs/decisions/0026.

1. Two epochs in the trust list, or a rotation in the database: ask the key holder. 2. Prove δ, hold
it, and say in the database that rows are turned. 3. Turn them. 4. When none is left that could be
turned, say so; else begin at the first row again. 5. The key holder ended it: refuse the other
epoch and forget δ.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from broker.audit.ended import JobLog
from broker.audit.records import Appendable, Job
from broker.pseudonyms.errors import RaceLost, RotationLost, SubjectMismatch
from broker.pseudonyms.rotation import (
    Epochs,
    PseudonymRow,
    RotationStore,
    Turn,
    TurnedRow,
    Turns,
)
from broker.pseudonyms.subjects import Subjects
from datwat.party.telemetry import code_failure, get_logger
from datwat.protocol.rotation import Progress, Rotation

BATCH: Final = 128
_ASK_EVERY: Final = timedelta(seconds=2)
# Of the time that a batch took so many times as much is left to the questions.
_SHARE_LEFT: Final = 2.0
_log = get_logger("rotation")


class AskKeyHolder(Protocol):
    """How the key holder is asked."""

    async def ask(self, progress: Progress | None) -> Rotation:
        """Say how far the broker is, and return what the key holder says; raise DatwatError."""


@dataclass(frozen=True, slots=True)
class RotationGround:
    """What the rotation works on; `read_epoch_keys` gives the trust list's epochs as held now.

    `keeps_house`: whether this process is the one that turns rows; every other holds δ only.
    """

    subjects: Subjects
    store: RotationStore
    turns: Turns
    asking: AskKeyHolder
    log: JobLog
    reading: Callable[[], AbstractContextManager[Connection]]
    read_epoch_keys: Callable[[], Mapping[int, bytes]]
    keeps_house: Callable[[], bool] = lambda: True


class Rotating:
    """One per process; made and used in one event loop."""

    def __init__(self, ground: RotationGround) -> None:
        self._ground = ground
        self._wanted = asyncio.Event()
        self._asked_at: float | None = None
        # By (leaving, current), of the last pass that was seen here; it tells, and decides nothing.
        self._damaged: dict[tuple[int | None, int], int] = {}
        self.failure: str | None = None

    async def run(self) -> None:
        """Follow the key holder for ever; what fails is logged and tried again."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._wanted.set)

        self._ground.turns.listen(wake)
        while True:
            pause = _ASK_EVERY.total_seconds()
            try:
                pause = await self.run_step()
                self.failure = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round may go on
                self._note(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause)
            if self._wanted.is_set():
                self._wanted.clear()
                self._asked_at = None

    async def run_step(self) -> float:
        """Ask if it is time to, turn a batch if there is one; return how long to pause."""
        ground = self._ground
        epochs = self._read_epochs()
        if epochs.leaving is None and len(ground.read_epoch_keys()) == 1:
            ground.turns.held = None
            return _ASK_EVERY.total_seconds()
        if self._is_time_to_ask():
            await self._follow(await ground.asking.ask(self._build_progress(epochs)), epochs)
            epochs = self._read_epochs()
        turn = ground.turns.held
        if turn is None or not self._is_due(epochs, turn) or not ground.keeps_house():
            return _ASK_EVERY.total_seconds()
        began = time.monotonic()
        with contextlib.suppress(RaceLost):  # another process turned these
            await self._turn_batch(epochs, turn)
        return _SHARE_LEFT * (time.monotonic() - began)

    def build_status(self) -> dict[str, Any]:
        """Return how it is, for the operator."""
        epochs, held = self._read_epochs(), self._ground.turns.held
        found: dict[str, Any] = {"pseudonym_epoch": epochs.current or None, "rotation": "none"}
        if epochs.leaving is not None:
            state = "turned" if epochs.is_done else "turning" if held is not None else "waits"
            found |= {
                "rotation": state,
                "rotation_leaving": epochs.leaving,
                "rotation_percent": epochs.permille // 10,
                "rotation_turned": epochs.turned,
                "rotation_damaged": self._damaged.get((epochs.leaving, epochs.current), 0),
            }
        return {**found, "rotation_failure": self.failure}

    def _read_epochs(self) -> Epochs:
        with self._ground.reading() as conn:
            return self._ground.store.find_epochs(conn)

    def _is_time_to_ask(self) -> bool:
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= _ASK_EVERY.total_seconds():
            self._asked_at = now
            return True
        return False

    @staticmethod
    def _is_due(epochs: Epochs, turn: Turn) -> bool:
        same = (epochs.leaving, epochs.current) == (turn.leaving, turn.current)
        return same and not epochs.is_done

    def _build_progress(self, epochs: Epochs) -> Progress | None:
        """Return how far the rows are; also where none had to be turned."""
        held = self._ground.turns.held
        leaving = epochs.leaving or (held.leaving if held is not None else None)
        if leaving is None or leaving == epochs.current or not epochs.current:
            return None
        return Progress(
            leaving=leaving,
            current=epochs.current,
            permille=epochs.permille,
            done=epochs.leaving is None or epochs.is_done,
        )

    async def _follow(self, said: Rotation, epochs: Epochs) -> None:
        """Do what the key holder says; raise DeltaError where its δ is not proven."""
        ground = self._ground
        if said.state == "turn" and said.leaving and said.current and said.delta:
            keys = ground.read_epoch_keys()
            # Held before the database says that rows are turned: from then on all look for both.
            ground.turns.held = Turn.build(said.leaving, said.current, said.delta, keys)
            is_there = epochs.leaving in (None, said.leaving) and epochs.current == said.current
            if not is_there:
                await self._begin(said.leaving, said.current)
        elif epochs.leaving is None:
            ground.turns.held = None
        elif said.state == "ended" and epochs.is_done and said.current == epochs.current:
            await self._end(epochs.current)
        else:
            raise RotationLost

    async def _begin(self, leaving: int, current: int) -> None:
        began = False

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal began
            began = self._ground.store.begin(conn, leaving, current)
            return []

        await self._ground.log.append(Job(work))
        if began:
            _log.info("epoch_begun", leaving=leaving, current=current)

    async def _end(self, current: int) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            self._ground.store.end(conn, current)
            return []

        await self._ground.log.append(Job(work))
        self._ground.turns.held = None
        _log.info("epoch_ended", current=current)

    async def _turn_batch(self, epochs: Epochs, turn: Turn) -> None:
        """Turn the rows after the cursor that are not turned; raise RaceLost, RotationConflict."""
        store = self._ground.store
        with self._ground.reading() as conn:
            rows = store.list_rows(conn, epochs.cursor, BATCH)
        if not rows:
            await self._reach_end(epochs, turn)
            return
        mine = [row for row in rows if row.epoch == turn.leaving]
        turned = await asyncio.to_thread(self._turn, mine, turn)

        def work(conn: Connection) -> Sequence[Appendable]:
            store.turn_rows(conn, epochs, turned, rows[-1].index)
            return []

        await self._ground.log.append(Job(work))
        key = (epochs.leaving, epochs.current)
        before = self._damaged.get(key, 0) if epochs.cursor else 0
        self._damaged = {key: before + len(mine) - len(turned)}

    def _turn(self, rows: Sequence[PseudonymRow], turn: Turn) -> list[TurnedRow]:
        """Return the turned rows; one that opens no more is left: nobody is found by it."""
        turned = []
        for row in rows:
            found = self._turn_one(row, turn)
            if found is None:
                _log.error("epoch_row_damaged")
            else:
                turned.append(found)
        return turned

    def _turn_one(self, row: PseudonymRow, turn: Turn) -> TurnedRow | None:
        try:
            return self._ground.subjects.build_turned(row, turn)
        except SubjectMismatch:
            return None

    async def _reach_end(self, epochs: Epochs, turn: Turn) -> None:
        """Behind the last row: say that all are turned, or begin at the first one again."""
        damaged = await asyncio.to_thread(self._count_damaged, epochs, turn)
        is_done = damaged is not None
        store = self._ground.store

        def work(conn: Connection) -> Sequence[Appendable]:
            store.restart(conn, epochs, is_done=is_done)
            return []

        await self._ground.log.append(Job(work))
        if damaged is None:
            return
        self._damaged = {(epochs.leaving, epochs.current): damaged}
        self._asked_at = None  # the key holder hears it with the next step
        _log.info("epoch_turned", rows=epochs.turned, damaged=damaged)

    def _count_damaged(self, epochs: Epochs, turn: Turn) -> int | None:
        """Return how many rows are left, or None where one of them could be turned.

        In one view: a row that is given another index meanwhile is tried too. What is found stays
        true, as no row is written under the epoch that is left until the rotation is turned back.
        """
        count = 0
        with self._ground.reading() as conn:
            for row in self._ground.store.list_leaving(conn, epochs):
                if self._turn_one(row, turn) is not None:
                    return None
                count += 1
        return count

    def _note(self, error: Exception) -> None:
        code = code_failure(error)
        if code != self.failure:
            _log.warning("epoch_failed", code=code)
        self.failure = code
