"""Whether witnesses vouch for what this gateway accepted: asked for until they do, or an alarm.

Rules: with a witness threshold, every checkpoint accepted must lie under one that enough witnesses
vouched for within 15 minutes; else the log may be showing this gateway something that it shows to
nobody else: alarm, and no orders until a person has looked. What witnesses vouched for is proved to
fit what was accepted. Source: house reference "audit-log", Sequencing; protocol.md section 8.

How far it was covered, and since when something waits, lies in the ratchet: a restart does not
begin the 15 minutes anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connectors.gateway.memory import LogMemory
from datwat.party import clock
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.telemetry import get_logger, name_failure
from datwat.party.tile_proofs import build_proof_from_tiles
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.errors import DatwatError
from datwat.protocol.notes import MAX_NOTE_LENGTH
from datwat.protocol.order import Consistency
from datwat.protocol.order_checks import require_cosigned
from datwat.protocol.order_errors import NeedProofError
from datwat.protocol.tiles import CHECKPOINT_PATH, MAX_TILE_BYTES, TilePath
from datwat.protocol.trust import TrustList

WAITS_AT_MOST = timedelta(minutes=15)
LOOK_SECONDS = 30.0
_LOOKS_BEFORE_ALARM = 3
_FETCH_SECONDS = 5.0
_log = get_logger("gateway")


class Coverage:
    """Looks again and again; one look at a time."""

    def __init__(
        self,
        memory: LogMemory,
        ratchet: Ratchet,
        http: HttpOut,
        read_trust: Callable[[], TrustList],
    ) -> None:
        self._memory = memory
        self._ratchet = ratchet
        self._http = http
        self._read_trust = read_trust
        self._waiting: deque[tuple[int, datetime]] = deque()
        self._origin = ""
        self._failed = 0

    @property
    def waiting_since(self) -> datetime | None:
        """Since when something accepted is not covered; None while all is."""
        return self._waiting[0][1] if self._waiting else None

    async def run(self, seconds: float = LOOK_SECONDS) -> None:
        """Look each `seconds`, for ever."""
        while True:
            try:
                await self.look(clock.now())
            except Exception as error:  # noqa: BLE001 - a failed look is tried again
                _log.warning("coverage_failed", exception=name_failure(error))
            await asyncio.sleep(seconds)

    async def look(self, now: datetime) -> None:
        """Fetch what witnesses vouched for if something waits for it; raise the alarm in time."""
        trust = self._read_trust()
        newest = await asyncio.to_thread(self._memory.find_newest, trust.log.origin)
        if not trust.witness_threshold or newest is None:
            self._waiting.clear()
            return
        self._note_waiting(newest, now)
        if not self._waiting:
            return
        try:
            await self._catch_up(trust, newest, now)
            self._failed = 0 if not self._waiting else self._failed + 1
        except DatwatError as error:  # a fork has stopped the gateway by now
            self._failed += 1
            _log.warning("not_covered", code=error.code, size=newest.size)
        since = self.waiting_since
        if since is None or self._failed < _LOOKS_BEFORE_ALARM or now - since < WAITS_AT_MOST:
            return
        await asyncio.to_thread(self._memory.raise_not_cosigned, newest, now)

    def begin_anew(self, now: datetime) -> None:
        """A person has looked: what waits now has its 15 minutes again."""
        self._waiting = deque((size, now) for size, _ in self._waiting)
        self._failed = 0
        if self._origin:
            self._keep_waiting(now)

    async def _catch_up(self, trust: TrustList, newest: Checkpoint, now: datetime) -> None:
        """Take in the checkpoint that the broker shows, if enough witnesses vouch for it."""
        prefix = trust.broker.url.rstrip("/") + "/v1/log/"
        note = await self._fetch(prefix + CHECKPOINT_PATH, MAX_NOTE_LENGTH)
        found = require_cosigned(
            note,
            trust.log,
            [witness.vkey for witness in trust.witnesses],
            trust.witness_threshold,
            now,
        )
        if not found.size:
            return

        async def fetch(path: TilePath) -> bytes:
            return await self._fetch(prefix + path.text, MAX_TILE_BYTES)

        smaller, larger = sorted((found, newest), key=lambda one: one.size)
        path = await build_proof_from_tiles(fetch, smaller.size, larger.size, larger.root)
        proof = Consistency(from_size=smaller.size, to_size=larger.size, path=path)
        try:
            await asyncio.to_thread(self._memory.accept, found, note, proof, now)
        except NeedProofError:
            return  # an order moved the log on meanwhile: the next look begins from there
        self._ratchet.advance(_name("covered", found.origin), found.size, found.root)
        while self._waiting and self._waiting[0][0] <= found.size:
            self._waiting.popleft()
        self._keep_waiting(now)

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        return await self._http.fetch_file(url, seconds=_FETCH_SECONDS, max_bytes=max_bytes)

    def _note_waiting(self, newest: Checkpoint, now: datetime) -> None:
        """Add what was accepted since the last look to what waits."""
        if newest.origin != self._origin:
            self._origin = newest.origin
            self._waiting.clear()
            mark = self._ratchet.value(_name("waits", newest.origin))
            if mark is not None:
                now = datetime.fromtimestamp(mark.number, UTC)
        covered = self._ratchet.value(_name("covered", newest.origin))
        known = self._waiting[-1][0] if self._waiting else covered.number if covered else 0
        if newest.size > known:
            self._waiting.append((newest.size, now))
            self._keep_waiting(now)

    def _keep_waiting(self, now: datetime) -> None:
        since = self.waiting_since or now
        name = _name("waits", self._origin)
        mark = self._ratchet.value(name)
        if mark is None or mark.number < int(since.timestamp()):
            self._ratchet.advance(name, int(since.timestamp()), bytes(32))


def _name(what: str, origin: str) -> str:
    """Return a ratchet's name for a log, short whatever the origin is."""
    return f"gateway_{what}:{hashlib.sha256(origin.encode()).hexdigest()[:16]}"
