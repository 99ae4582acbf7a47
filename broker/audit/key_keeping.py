"""Generations of the KEK: a new one in time, every living key under it, the old one destroyed.

Rules: keys that live are sealed anew under the newest generation, some at a time; a generation is
destroyed when its life is over and a whole pass found nothing under it. From then on no backup that
was made under it can be opened: its life is the longest that what was erased can last in a copy.
A key that opens no more is left as it is: what lies under it is gone, and what was erased of others
may not outlive a generation because of it. A key store that does not answer stops the step, which
is done anew in the next round: nothing is destroyed that was only out of reach.
Source: house reference "audit-log", Ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.ends_port import KeysStore
from broker.audit.log import Log
from broker.audit.ports import Generation, KekPort, LogStore
from broker.audit.records import DELAYED_CHAIN_ID, Appendable, Job
from broker.audit.replaced import Place
from broker.audit.sealing import derive_quarter_aad
from datwat.party.errors import PartyError
from datwat.protocol.sealing import UnsealError

# A key that was drawn before the new generation may still be on its way to the database.
_SETTLED = timedelta(minutes=10)
_FIRST: Place = (b"", "")


class GenerationStartedError(PartyError):
    """A generation was started just now."""

    code = "generation_started"
    default_detail = "A new generation was started less than ten minutes ago: it serves as well."


@dataclass(frozen=True, slots=True)
class KeyLives:
    """How long a generation seals, and how long it opens: the longest life of a backup."""

    seals: timedelta
    opens: timedelta


class KeyKeeper:
    """Keeps the generations of one broker; used by one task only. A restart begins a pass anew."""

    def __init__(
        self, store: LogStore, keys: KeysStore, kek: KekPort, log: Log, lives: KeyLives
    ) -> None:
        self._store = store
        self._keys = keys
        self._kek = kek
        self._log = log
        self._lives = lives
        self._pass_under = 0
        self._done_under = 0
        self._after_chain: bytes | None = b""
        self._after_place: Place | None = _FIRST

    def list_due(self, now: datetime) -> tuple[bool, list[Generation]]:
        """Return whether a new generation is due, and which old ones are over."""
        *old, newest = self._kek.list_generations()
        over = [one for one in old if one.started_at + self._lives.opens <= now]
        return newest.started_at + self._lives.seals <= now, over

    def start(self, now: datetime) -> Generation:
        """Start a generation at once, whatever the age of the newest; return it.

        Raises GenerationStartedError where the newest is so young that it serves as well.
        """
        newest = self._kek.list_generations()[-1]
        if now < newest.started_at + _SETTLED:
            raise GenerationStartedError
        return self._kek.start_generation(now)

    def is_resealed(self) -> bool:
        """Whether a whole pass of this process found every living key under the newest."""
        *old, newest = self._kek.list_generations()
        return not old or self._done_under == newest.number

    def read_lag(self, now: datetime) -> timedelta:
        """Return how old the oldest living generation is."""
        return now - self._kek.list_generations()[0].started_at

    async def keep(self, now: datetime, limit: int) -> int:
        """Do the next step: a new generation, `limit` keys of each kind, or one destruction.

        Return how many keys were looked at or generations destroyed; 0 if nothing is left to do.
        Raises KeyStoreError: this step is to be done again.
        """
        due, over = self.list_due(now)
        if due:
            self._kek.start_generation(now)
        newest = self._kek.list_generations()[-1]
        if self._done_under < newest.number:
            return await self._reseal_some(newest, now, limit)
        for generation in over:
            self._kek.destroy_generation(generation.number)
        return len(over)

    async def _reseal_some(self, newest: Generation, now: datetime, limit: int) -> int:
        if len(self._kek.list_generations()) == 1 or now < newest.started_at + _SETTLED:
            return 0
        if self._pass_under != newest.number:
            await self._reseal_delayed(newest.number)
            # Only now: what an outage of the key store left out is done in the next round.
            self._pass_under = newest.number
            self._after_chain, self._after_place = b"", _FIRST
        if self._after_chain is not None:
            return await self._reseal_chains(newest.number, self._after_chain, limit)
        if self._after_place is not None:
            return await self._reseal_quarters(newest.number, self._after_place, limit)
        self._done_under = newest.number
        return 1

    async def _reseal_delayed(self, newest: int) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            head = self._store.find_head(conn)
            if head is not None and self._is_stale(head.delayed_chain_key_sealed, newest):
                with suppress(UnsealError):
                    sealed = self._turn(head.delayed_chain_key_sealed, DELAYED_CHAIN_ID)
                    self._keys.update_delayed_chain_key(conn, sealed)
            return []

        await self._log.append(Job(work))

    async def _reseal_chains(self, newest: int, after: bytes, limit: int) -> int:
        with self._store.reading() as conn:
            page = self._keys.list_chain_keys(conn, after, limit)

        def work(conn: Connection) -> Sequence[Appendable]:
            rows = self._keys.list_chain_keys(conn, after, limit)
            turned = {}
            for each, key in rows:
                if self._is_stale(key, newest):
                    with suppress(UnsealError):
                        turned[each] = self._turn(key, each)
            if turned:
                self._keys.update_chain_keys(conn, turned)
            return []

        if any(self._is_stale(key, newest) for _, key in page):
            await self._log.append(Job(work))
        self._after_chain = page[-1][0] if len(page) == limit else None
        return max(len(page), 1)

    async def _reseal_quarters(self, newest: int, after: Place, limit: int) -> int:
        with self._store.reading() as conn:
            page = self._keys.list_quarter_keys(conn, after, limit)

        def work(conn: Connection) -> Sequence[Appendable]:
            rows = self._keys.list_quarter_keys(conn, after, limit)
            turned: dict[Place, bytes | None] = {}
            for place, key in rows:
                if self._is_stale(key, newest):
                    with suppress(UnsealError):
                        turned[place] = self._turn(key, derive_quarter_aad(*place))
            self._keys.replace_keys(conn, turned)
            return []

        if any(self._is_stale(key, newest) for _, key in page):
            await self._log.append(Job(work))
        self._after_place = page[-1][0] if len(page) == limit else None
        return max(len(page), 1)

    def _is_stale(self, sealed: bytes, newest: int) -> bool:
        return self._kek.read_generation(sealed) != newest

    def _turn(self, sealed: bytes, aad: bytes) -> bytes:
        return self._kek.seal(self._kek.unseal(sealed, aad), aad)
