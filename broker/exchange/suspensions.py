"""Partners that are suspended here, whatever the trust list says: at once, and after a restart.

Rules: a partner is closed in this process before anything is written, and opened only after it was;
each step has a number of its own that only rises, an odd one suspends; it lies in the ratchet and
in the database, and where they differ the higher number counts, so that a database that was put
back opens nobody. Source: house reference "cryptography" ("parties close at once").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.records import Appendable, Job
from datwat.party.errors import PartyError
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import Directory

_RECORD = "suspension"


class PartnerNotListedError(PartyError):
    """A partner that the trust list does not name and that was never suspended here."""

    code = "partner_not_listed"
    default_detail = "The trust list names no such partner: see `datwat trust show`."


class SuspensionStore(Protocol):
    """Where the newest number of each partner lies."""

    def read_numbers(self, conn: Connection) -> Mapping[str, int]:
        """Return the number of every partner that was ever suspended."""

    def write_number(self, conn: Connection, partner: str, number: int, now: datetime) -> None:
        """Write a partner's number; a lower one than is there changes nothing."""


class Keeper(Protocol):
    """Holds who is in force."""

    @property
    def directory(self) -> Directory:
        """Who is in force, and who is closed here."""

    def close_partners(self, closed: frozenset[str]) -> None:
        """Close these partners here, and no others."""


class Suspensions:
    """Suspends and resumes; one step at a time."""

    def __init__(
        self,
        store: SuspensionStore,
        ratchet: Ratchet,
        log: Log,
        keeper: Keeper,
        reading: Callable[[], AbstractContextManager[Connection]],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._ratchet = ratchet
        self._log = log
        self._keeper = keeper
        self._reading = reading
        self._clock = clock
        self._numbers: dict[str, int] = {}
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Close who was suspended before; for the start, before anybody is heard."""
        with self._reading() as conn:
            stored = self._store.read_numbers(conn)
        noted = await asyncio.to_thread(self._read_noted)
        numbers = {one: max(stored.get(one, 0), noted.get(one, 0)) for one in {*stored, *noted}}
        self._numbers = numbers
        self._close()
        for partner, number in numbers.items():
            if stored.get(partner, 0) < number:
                await self._store_number(partner, number)

    async def follow(self) -> bool:
        """Take up what other processes wrote; a partner that was closed here stays so meanwhile."""
        async with self._lock:
            self._read()
        return True

    async def suspend(self, partner: str) -> None:
        """Close a partner at once and for good; the same again changes nothing that is written.

        Raises PartnerNotListedError, RatchetError, LogError; after the last two it is closed here
        until the process ends, and other processes know of it once the same is asked again.
        """
        async with self._lock:
            stored = self._read()
            number = self._require_known(partner)
            self._numbers[partner] = _step_to(number, odd=True)
            self._close()
            number = _step_to(max(number, await self._find_noted(partner)), odd=True)
            if stored.get(partner, 0) < number:  # else it is written, and for all
                self._numbers[partner] = number
                await self._write(partner, number)

    async def resume(self, partner: str) -> None:
        """Open a partner that was suspended here; the same again changes nothing.

        Raises PartnerNotListedError, RatchetError, LogError; it then stays closed.
        """
        async with self._lock:
            self._read()
            number = self._require_known(partner)
            if not number % 2:
                return
            number = _step_to(max(number, await self._find_noted(partner)), odd=False)
            await self._write(partner, number)
            self._numbers[partner] = number
            self._close()

    def _require_known(self, partner: str) -> int:
        if partner not in self._numbers and partner not in self._keeper.directory.partners:
            raise PartnerNotListedError
        return self._numbers.get(partner, 0)

    def _read(self) -> Mapping[str, int]:
        """Take up what is written in the database, and return it."""
        with self._reading() as conn:
            stored = self._store.read_numbers(conn)
        for partner, number in stored.items():
            self._numbers[partner] = max(self._numbers.get(partner, 0), number)
        self._close()
        return stored

    async def _find_noted(self, partner: str) -> int:
        """Return the highest step in the ratchet: one may have failed after that was written."""
        return (await asyncio.to_thread(self._read_noted)).get(partner, 0)

    def _read_noted(self) -> dict[str, int]:
        noted: dict[str, int] = {}
        for record in self._ratchet.records(_RECORD):
            partner, _, digits = record.rpartition(" ")
            noted[partner] = max(noted.get(partner, 0), int(digits))
        return noted

    def _close(self) -> None:
        self._keeper.close_partners(
            frozenset(partner for partner, number in self._numbers.items() if number % 2)
        )

    async def _write(self, partner: str, number: int) -> None:
        """Write a step; the ratchet first: what it has holds, whatever becomes of the database."""
        await asyncio.to_thread(self._ratchet.record, _RECORD, f"{partner} {number}")
        await self._store_number(partner, number)

    async def _store_number(self, partner: str, number: int) -> None:
        now = self._clock()

        def work(conn: Connection) -> Sequence[Appendable]:
            self._store.write_number(conn, partner, number, now)
            return []

        await self._log.append(Job(work))


def _step_to(number: int, *, odd: bool) -> int:
    """Return the next number that suspends (odd) or opens, or this one where it does."""
    return number if number % 2 == odd else number + 1
