"""The months that were counted: each once, when it is over, and kept as it was counted.

Rules: what was given out of a month never changes, so that no erasure shows by subtraction; public
tables and every partner's own use are counted at one moment and kept together; a month of which the
counts were lost, or that nobody counted within a year, is given to nobody: it would say too little.
Source: AVG 5(1)(b), 5(2); docs/decisions/0021.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import Field
from sqlalchemy import Connection

from broker.audit.ended import JobLog
from broker.audit.records import Appendable, Job
from broker.transparency.figures import (
    Month,
    MonthCounts,
    MonthFigures,
    PartnerUse,
    UseRow,
    build_use,
)
from broker.transparency.indicators import Indicators, IndicatorTable, build_indicators
from datwat.party.errors import PartyError
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import PartyId, Value

# Five years after its end a month is given out no more, and never counted again.
KEPT: Final = timedelta(days=1_826)
# So long after its end a month may be counted: nearly all that it counts is still there.
COUNTED_WITHIN: Final = timedelta(days=366)
_ROUND_SECONDS: Final = 600.0
_MOST_HELD: Final = 60
_log = get_logger("months")


class MonthUncountedError(PartyError):
    """A month that is over and of which there are no figures, and will be none."""

    code = "month_uncounted"
    default_detail = (
        "There are no figures of that month: it is too long ago, or what was counted of it was "
        "lost when the broker was restored or its log begun anew. Choose a later month."
    )


class MonthWords(Value):
    """What is kept of a month: the public tables, and each partner's own use by its id."""

    tables: tuple[IndicatorTable, ...]
    uses: dict[PartyId, tuple[UseRow, ...]] = Field(repr=False)


@dataclass(frozen=True, slots=True)
class KeptMonth:
    """A month as it was counted once; given out until `until_at`."""

    month: Month
    counted_at: datetime
    until_at: datetime
    words: MonthWords = field(repr=False)

    @property
    def indicators(self) -> Indicators:
        """The public tables."""
        return Indicators(self.month, self.words.tables)

    def find_use(self, partner: str) -> PartnerUse:
        """Return a partner's own use: no rows where it asked nothing and was asked nothing."""
        return PartnerUse(partner, self.month, self.words.uses.get(partner, ()))


class KeptMonths(Protocol):
    """Where the months lie that were counted."""

    def find(self, conn: Connection, month: Month) -> KeptMonth | None:
        """Return a month as it was counted; None where it was not."""

    def add(self, conn: Connection, kept: KeptMonth) -> None:
        """Keep a month, unless somebody kept it before."""

    def find_lost_at(self, conn: Connection) -> datetime | None:
        """Return when the log was begun anew, without what was counted; None if it never was."""


def build_kept(figures: MonthFigures, now: datetime) -> KeptMonth:
    """Return what is kept of a month that was counted now."""
    partners = {one.partner for one in figures.acts}
    partners |= {one.source for one in figures.acts if one.source is not None}
    uses = {one: build_use(figures, one).rows for one in sorted(partners)}
    words = MonthWords(
        tables=build_indicators(figures).tables,
        uses={partner: rows for partner, rows in uses.items() if rows},
    )
    return KeptMonth(figures.month, now, figures.month.until_at + KEPT, words)


def may_count(month: Month, now: datetime, lost_at: datetime | None) -> bool:
    """Tell whether a month that is over may still be counted for the first time.

    `lost_at`: when what had been counted was lost for the last time. A month that had begun by then
    would come out too low; one that was over may have been given out with other numbers.
    """
    if now >= month.until_at + COUNTED_WITHIN:
        return False
    return lost_at is None or month.from_at >= lost_at


class Months:
    """Counts months and gives them out; one object per process."""

    def __init__(
        self,
        *,
        counts: MonthCounts,
        rows: KeptMonths,
        log: JobLog,
        reading: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], datetime],
        restored_at: datetime | None,
    ) -> None:
        """Keep the parts; `restored_at` is when this broker was last put back from a backup."""
        self._counts = counts
        self._rows = rows
        self._log = log
        self._reading = reading
        self._clock = clock
        self._restored_at = restored_at
        self._counting = asyncio.Lock()
        self._held: dict[Month, KeptMonth] = {}

    async def fetch(self, month: Month) -> KeptMonth:
        """Return a month that is over; it is counted now if nobody did before.

        Raises MonthUncountedError, LogError.
        """
        now = self._clock().replace(microsecond=0)
        held = self._held.get(month)
        if held is None:
            async with self._counting:  # one at a time, and whoever waits finds it kept
                held = self._held.get(month) or await self._find_or_count(month, now)
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[month] = held
        if held.until_at <= now:
            raise MonthUncountedError
        return held

    async def run(self) -> None:
        """Count each month soon after its end, so that it is whole whoever asks and whenever."""
        while True:
            try:
                await self.fetch(Month.before(self._clock()))
            except MonthUncountedError:
                pass  # it is lost, and stays so
            except DatwatError as error:
                _log.warning("month_not_counted", code=error.code)
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                _log.warning("month_not_counted", exception=name_failure(error))
            await asyncio.sleep(_ROUND_SECONDS)

    async def _find_or_count(self, month: Month, now: datetime) -> KeptMonth:
        """Return a month as it is kept.

        1. what is kept is given out; 2. else it is counted, in a thread; 3. it is kept, unless
        another process kept it meanwhile; 4. what lies there now is given out, whoever wrote it. A
        crash before 3 leaves nothing that anybody was told.
        """
        kept = await asyncio.to_thread(self._find, month)
        if kept is not None:
            return kept
        counted = await asyncio.to_thread(self._count, month, now)

        def work(conn: Connection) -> Sequence[Appendable]:
            self._rows.add(conn, counted)
            return []

        await self._log.append(Job(work))
        return await asyncio.to_thread(self._find, month) or counted

    def _find(self, month: Month) -> KeptMonth | None:
        with self._reading() as conn:
            return self._rows.find(conn, month)

    def _count(self, month: Month, now: datetime) -> KeptMonth:
        with self._reading() as conn:
            lost = [self._restored_at, self._rows.find_lost_at(conn)]
            lost_at = max((one for one in lost if one is not None), default=None)
            if not may_count(month, now, lost_at):
                raise MonthUncountedError
            return build_kept(self._counts.fetch_month(conn, month, now), now)
