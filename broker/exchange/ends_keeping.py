"""The housekeeper's last stage: contents and persons that end, keys that turn, what a restore lost.

Rules: a bounded piece at a time, between which questions pass; what was erased is held by the
ratchet and leaves the database's own journal (SQLite's WAL) within half a minute; the
ratchet lets go of it when no backup could bring it back.
Source: house reference "audit-log", Ends; AVG 5(1)(e).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from broker.audit.ended import Ended as Noted
from broker.audit.ends import Ends
from broker.audit.key_keeping import KeyKeeper
from broker.exchange.row_turning import RowTurning

# Small enough that a question which waits for the writer hardly notices.
_CONTENTS = 32
_SUBJECTS = 100
_KEYS = 200
_ROWS = 100
_LOST = 200
_PAUSE = 0.002
_REST = 0.45
_TIDY_EVERY = 30.0

RecordEnded = Callable[[Sequence[Noted]], Awaitable[None]]
Tidy = Callable[[], bool]
"""Takes what was deleted out of the database's journal; False where somebody still reads it."""
Forget = Callable[[], int]
"""Takes out of the ratchet what no backup could bring back; returns how much."""


@dataclass(slots=True)
class EndsKeeping:
    """Ends what is due, some pieces per round; used by one task at a time."""

    ends: Ends
    generations: KeyKeeper
    record: RecordEnded
    tidy: Tidy
    forget: Forget
    rows: RowTurning | None = None
    done: Counter[str] = field(default_factory=Counter)
    _noted: list[Noted] = field(default_factory=list)
    _after: bytes = b""
    _untidy: bool = False
    _tidied: float = 0.0

    async def run(self, now: datetime, seconds: float) -> bool:
        """Work for about so many seconds; return whether more is due at once."""
        until = time.monotonic() + seconds
        try:
            more = await self._repeat(lambda: self._erase(now), until)
        finally:
            await self._record_noted()
        more |= await self._repeat(lambda: self._tell_lost(now), until)
        await self._end_subjects(now)
        await self._tidy_up(at_once=not more)
        more |= await self._repeat(lambda: self._keep_keys(now), until)
        more |= await self._repeat(lambda: self._turn_rows(now), until)
        self.done["ends_forgotten"] += await asyncio.to_thread(self.forget)
        return more

    def note_erased(self, contents: int) -> None:
        """Hear that contents were erased outside a round: the next one tidies up after it."""
        if contents:
            self._untidy = True
            self.done["contents"] += contents

    async def _repeat(self, step: Callable[[], Awaitable[int]], until: float) -> bool:
        """Repeat a step until it finds nothing, or time is over: then there may be more."""
        began = time.monotonic()
        while await step():
            now = time.monotonic()
            if now >= until:
                return True
            # Longer where the machine has much to do: the questions' share of it does not shrink.
            await asyncio.sleep(max(_PAUSE, (now - began) * _REST))
            began = time.monotonic()
        return False

    async def _erase(self, now: datetime) -> int:
        ended = await self.ends.erase_due(now, _CONTENTS)
        if ended.contents:
            self._untidy = True
            self.done["contents"] += ended.contents
            moment = int(now.timestamp())
            places = (f"{each.hex()} {quarter} {moment}" for each, quarter in ended.places)
            self._noted += [Noted("erased", place) for place in places]
        return len(ended.places)

    async def _record_noted(self) -> None:
        """Have the ratchet hold what was erased, with one sync for a round.

        What a crash leaves out here is erased and told again after a restore: its end is past.
        """
        if self._noted:
            await self.record(self._noted)
            self._noted = []

    async def _end_subjects(self, now: datetime) -> None:
        ended, self._after = await self.ends.end_subjects(now, self._after, _SUBJECTS)
        if ended.contents:
            self._untidy = True
            self.done["persons"] += ended.contents
            await self.record([Noted("subject", each.hex()) for each, _ in ended.places])

    async def _tell_lost(self, now: datetime) -> int:
        count = await self.ends.tell_lost(now, _LOST)
        self.done["lost_told"] += count
        return count

    async def _keep_keys(self, now: datetime) -> int:
        count = await self.generations.keep(now, _KEYS)
        self.done["keys_looked_at"] += count
        return count

    async def _turn_rows(self, now: datetime) -> int:
        count = await self.rows.keep(now, _ROWS) if self.rows is not None else 0
        self.done["rows_looked_at"] += count
        return count

    async def _tidy_up(self, *, at_once: bool) -> None:
        if not self._untidy or (not at_once and time.monotonic() < self._tidied + _TIDY_EVERY):
            return
        if await asyncio.to_thread(self.tidy):
            self._untidy = False
        self._tidied = time.monotonic()
