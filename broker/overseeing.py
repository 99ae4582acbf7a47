"""Oversight of one broker: lists, samples, findings, looks, figures, register and fact sheet.

Rule: pages and commands call these same functions; what reads much reads in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from broker.adapters.log_store import SqlLogStore
from broker.adapters.oversight_months import SqlMonthCounts
from broker.adapters.oversight_rows import SqlOversightRows
from broker.adapters.oversight_store import SqlOversightCounts
from broker.adapters.rows import RowSealer
from broker.audit.payloads import Organisation
from broker.exchange.looking import Looks
from broker.exchange.opening import Openings
from broker.exchange.rooms import Rooms
from broker.exchange.suspensions import PartnerNotListedError
from broker.transparency.dpia import Sheet, build_dpia
from broker.transparency.figures import (
    Month,
    MonthCounts,
    MonthFigures,
    PartnerUse,
    build_use,
)
from broker.transparency.indicators import Indicators, build_indicators
from broker.transparency.processing_register import Register, build_register
from broker.transparency.reviewing import Reviewing
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle

_MONTHS_KEPT = 24


@dataclass(slots=True)
class Oversight:
    """What officers oversee with; one object per process."""

    reviewing: Reviewing
    looks: Looks
    counts: MonthCounts = field(repr=False)
    reading: Callable[[], AbstractContextManager[Connection]] = field(repr=False)
    read_bundle: Callable[[], Bundle] = field(repr=False)
    read_directory: Callable[[], Directory] = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False)
    _months: dict[Month, MonthFigures] = field(default_factory=dict, repr=False)

    async def fetch_month(self, month: Month) -> MonthFigures:
        """Return what was counted of a month that is over; counted once per process."""
        found = self._months.get(month)
        if found is None:
            found = await asyncio.to_thread(self._count_month, month)
            if len(self._months) >= _MONTHS_KEPT:
                self._months.clear()
            self._months[month] = found
        return found

    def _count_month(self, month: Month) -> MonthFigures:
        with self.reading() as conn:
            return self.counts.fetch_month(conn, month, self.clock())

    async def fetch_indicators(self, month: Month) -> Indicators:
        """Return the public tables of a month that is over."""
        return build_indicators(await self.fetch_month(month))

    async def fetch_use(self, partner: str, month: Month) -> PartnerUse:
        """Return a partner's own use of a month; raise PartnerNotListedError."""
        if partner not in self.read_directory().partners:
            raise PartnerNotListedError
        return build_use(await self.fetch_month(month), partner)

    def read_register(self) -> Register:
        """Return the register of processing activities of what is in force now."""
        return build_register(self.read_bundle(), self.read_directory(), self.clock())

    def read_dpia(self) -> Sheet:
        """Return the fact sheet of what is in force now."""
        return build_dpia(self.read_bundle(), self.read_directory(), self.clock())


def build_oversight(  # noqa: PLR0917 - what it stands on
    rooms: Rooms,
    store: SqlLogStore,
    openings: Openings,
    party: Organisation,
    row_key: bytes,
    read_bundle: Callable[[], Bundle],
) -> Oversight:
    """Return the oversight of a broker; nothing is counted before somebody asks."""
    reviewing = Reviewing(
        counts=SqlOversightCounts(),
        rows=SqlOversightRows(RowSealer(row_key)),
        log=rooms.log,
        proofs=rooms.proofs,
        reading=store.reading,
        clock=rooms.clock,
    )
    return Oversight(
        reviewing=reviewing,
        looks=Looks(rooms, store, openings, party),
        counts=SqlMonthCounts(),
        reading=store.reading,
        read_bundle=read_bundle,
        read_directory=lambda: rooms.trust.directory,
        clock=rooms.clock,
    )
