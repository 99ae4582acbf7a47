"""Oversight of one broker: lists, samples, findings, looks, figures, register and fact sheet.

Rule: pages and commands call these same functions; what reads much reads in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from broker.adapters.log_store import SqlLogStore
from broker.adapters.oversight_kept import SqlKeptMonths
from broker.adapters.oversight_months import SqlMonthCounts
from broker.adapters.oversight_rows import SqlOversightRows
from broker.adapters.oversight_store import SqlOversightCounts
from broker.adapters.rows import RowSealer
from broker.audit.payloads import Organisation
from broker.exchange.looking import Looks
from broker.exchange.opening import Openings
from broker.exchange.rooms import Rooms
from broker.exchange.suspensions import PartnerNotListedError
from broker.pseudonyms.row_keys import RowKeys
from broker.transparency.dpia import Sheet, build_dpia
from broker.transparency.figures import Month, PartnerUse
from broker.transparency.indicators import Indicators
from broker.transparency.months import Months
from broker.transparency.processing_register import Register, build_register
from broker.transparency.reviewing import Reviewing
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle


@dataclass(slots=True)
class Oversight:
    """What officers oversee with; one object per process."""

    reviewing: Reviewing
    looks: Looks
    months: Months
    read_bundle: Callable[[], Bundle] = field(repr=False)
    read_directory: Callable[[], Directory] = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False)

    async def fetch_indicators(self, month: Month) -> Indicators:
        """Return the public tables of a month that is over; raise MonthUncountedError."""
        return (await self.months.fetch(month)).indicators

    async def fetch_use(self, partner: str, month: Month) -> PartnerUse:
        """Return a partner's own use of a month.

        Raises PartnerNotListedError, MonthUncountedError.
        """
        if partner not in self.read_directory().partners:
            raise PartnerNotListedError
        return (await self.months.fetch(month)).find_use(partner)

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
    row_key: RowKeys,
    read_bundle: Callable[[], Bundle],
    restored_at: int,
) -> Oversight:
    """Return the oversight of a broker; `restored_at` in Unix seconds, 0 if it never was."""
    rows = RowSealer(row_key)
    reviewing = Reviewing(
        counts=SqlOversightCounts(),
        rows=SqlOversightRows(rows),
        log=rooms.log,
        proofs=rooms.proofs,
        reading=store.reading,
        clock=rooms.clock,
    )
    return Oversight(
        reviewing=reviewing,
        looks=Looks(rooms, store, openings, party),
        months=Months(
            counts=SqlMonthCounts(),
            rows=SqlKeptMonths(rows),
            log=rooms.log,
            reading=store.reading,
            clock=rooms.clock,
            restored_at=datetime.fromtimestamp(restored_at, UTC) if restored_at else None,
        ),
        read_bundle=read_bundle,
        read_directory=lambda: rooms.trust.directory,
        clock=rooms.clock,
    )
