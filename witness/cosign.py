"""Vouches for the checkpoints of a log that was followed up to them.

Rule: one tree only, for ever. The ratchet holds the newest tree vouched for, outside the database:
it moves, synced, before a cosignature is made, so that no crash and no restored database ever lets
this key vouch for two histories. Source: C2SP tlog-witness; house reference "audit-log".

1. The request is one, of this log, signed by it.
2. It grew from the tree vouched for last (proof in the request).
3. The log was followed up to it: every entry, every tag root. An alarm stops everything.
4. The ratchet moves; the checkpoint is kept; the cosignature is made.

A crash after the ratchet moved answers nothing: the log asks again, is told the new size, and gets
the cosignature then.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from datwat.party import clock
from datwat.party.own_keys import OwnKeys
from datwat.party.ratchet import Ratchet, RatchetBrokenError
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory
from datwat.protocol.checkpoint import Checkpoint, build_cosignature
from datwat.protocol.cosigning import (
    CosigningForkError,
    Vouched,
    add_lines,
    parse_add_checkpoint,
    require_growth,
    require_known_log,
)
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.notes import (
    COSIGNATURE_TYPE,
    Note,
    SignatureLine,
    VerifierKey,
    parse_note,
)
from datwat.protocol.trust import TrustList
from witness.errors import (
    AlarmedError,
    LogAlarmError,
    LogForkedError,
    NotAWitnessError,
    StateBehindError,
    StillFollowingError,
)
from witness.follow import follow, is_beginning
from witness.held import HeldLog, fetch_alarms, find_vouched, keep_alarm, keep_vouched
from witness.keys import LogKeys
from witness.source import Source

_log = get_logger("cosign")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused last, and when; shown in `status`."""

    code: str
    at: datetime


class Cosigner:
    """The witness's key, and everything that stands before it."""

    def __init__(
        self,
        name: str,
        keys: OwnKeys[SigningKey],
        *,
        engine: Engine,
        ratchet: Ratchet,
        open_source: Callable[[TrustList], Source],
        follow_seconds: float,
    ) -> None:
        self._name = name
        self._keys = keys
        self._engine = engine
        self._ratchet = ratchet
        self._open_source = open_source
        self._seconds = follow_seconds
        self._lock = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self.held: HeldLog | None = None
        self.last_refusal: Refusal | None = None

    async def open(self, directory: Directory) -> None:
        """Load what is held of the log of this list.

        Raises:
            NotAWitnessError: the list does not name this witness with this key.
            StateBehindError: the database vouched for more than the ratchet knows.
        """
        trust = self._require_listed(directory)
        found = await asyncio.to_thread(find_vouched, self._engine, trust.log.origin)
        if found is not None and found[0] > self.read_vouched(trust.log.origin).size:
            raise StateBehindError
        await self._hold(trust.log.origin)

    def read_vouched(self, origin: str) -> Vouched:
        """Return the newest tree vouched for, from the ratchet."""
        mark = self._ratchet.value(_ratchet_name(origin))
        return Vouched() if mark is None else Vouched(mark.number, mark.digest)

    async def answer(self, body: bytes, directory: Directory) -> bytes:
        """Return the signature lines with which this witness vouches for what `body` asks.

        Raises:
            CosigningError: each case with the status of the specification.
            AlarmedError, StillFollowingError, NotAWitnessError, TrustListExpiredError: not now.
            LogAlarmError, LogTilesError, PeerError: the log could not be followed.
        """
        try:
            return await self._answer(body, directory)
        except RatchetBrokenError:
            _log.critical("ratchet_broken")
            signal.raise_signal(signal.SIGTERM)  # nothing is known about the disk any more
            raise
        except DatwatError as error:
            self.last_refusal = Refusal(error.code, clock.now())
            _log.info("not_cosigned", code=error.code)
            raise

    async def aclose(self) -> None:
        """Stop following; what was taken in stays."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    async def _answer(self, body: bytes, directory: Directory) -> bytes:
        directory.require_in_force(clock.now())
        trust = self._require_listed(directory)
        keys = LogKeys.of_list(trust)
        request = parse_add_checkpoint(body)
        checkpoint = require_known_log(request, keys.origin, keys.vkeys)
        async with self._lock:
            vouched = self.read_vouched(keys.origin)
            try:
                require_growth(request, checkpoint, vouched)
            except CosigningForkError as error:
                await self._raise_alarm(error, keys.origin, request.checkpoint)
                raise
            await self._require_no_alarm()
            await self._follow_up_to(checkpoint, request.checkpoint, trust)
            await self._require_no_alarm()
            return await asyncio.to_thread(self._vouch, checkpoint, request.checkpoint, keys)

    def _vouch(self, checkpoint: Checkpoint, note: bytes, keys: LogKeys) -> bytes:
        self._ratchet.advance(_ratchet_name(keys.origin), checkpoint.size, checkpoint.root)
        now = clock.now()
        parsed = parse_note(note)
        lines = self._build_lines(parsed.text, int(now.timestamp()))
        kept = add_lines(_keep_lines_of(parsed, keys.vkeys), lines)
        keep_vouched(self._engine, keys.origin, checkpoint.size, kept, now)
        _log.info("cosigned", size=checkpoint.size)
        return b"".join(line.text.encode() for line in lines)

    def _build_lines(self, text: str, timestamp: int) -> tuple[SignatureLine, ...]:
        """Return a line by each own key: whoever knows the old one or the next one reads it."""
        return tuple(
            build_cosignature(text, self._name, key.to_private(), timestamp)
            for key in reversed(self._keys.keys)
        )

    async def _follow_up_to(self, checkpoint: Checkpoint, note: bytes, trust: TrustList) -> None:
        """Follow the log up to a checkpoint, within the time; else go on with it meanwhile."""
        until = asyncio.get_running_loop().time() + self._seconds
        if self._following is not None and not await _finish(self._following, until):
            raise StillFollowingError
        self._following = asyncio.ensure_future(self._follow(checkpoint, note, trust))
        if not await _finish(self._following, until):
            raise StillFollowingError
        self._following.result()

    async def _follow(self, checkpoint: Checkpoint, note: bytes, trust: TrustList) -> None:
        held = await self._hold(trust.log.origin)
        source = self._open_source(trust)
        try:
            if checkpoint.size < held.edge.size:
                await _require_within(source, checkpoint, held)
                return
            async for part in follow(source, held.edge, checkpoint):
                await asyncio.to_thread(held.take_in, part, note, clock.now())
        except LogAlarmError as error:
            await self._raise_alarm(error, trust.log.origin, note)
            raise

    async def _hold(self, origin: str) -> HeldLog:
        if self.held is None or self.held.origin != origin:
            self.held = await asyncio.to_thread(HeldLog, self._engine, origin)
        return self.held

    async def _raise_alarm(self, error: DatwatError, origin: str, note: bytes) -> None:
        """Keep the alarm with what was vouched for last, or was followed last, and this note."""
        found = await asyncio.to_thread(find_vouched, self._engine, origin)
        before = found[1] if found else (self.held.note if self.held else b"")
        await asyncio.to_thread(keep_alarm, self._engine, error, before, note, clock.now())
        _log.critical("alarm", code=error.code)

    async def _require_no_alarm(self) -> None:
        if await asyncio.to_thread(fetch_alarms, self._engine):
            raise AlarmedError

    def _require_listed(self, directory: Directory) -> TrustList:
        own = {build_vkey(self._name, key.public.raw) for key in self._keys.keys}
        listed = any(
            one.name == self._name and one.vkey in own for one in directory.trust.witnesses
        )
        if not listed:
            raise NotAWitnessError
        return directory.trust


def build_vkey(name: str, public_key: bytes) -> str:
    """Return the verifier key of a witness with this public key (32 bytes)."""
    return VerifierKey(name=name, type=COSIGNATURE_TYPE, public_key=public_key).text


async def _require_within(source: Source, checkpoint: Checkpoint, held: HeldLog) -> None:
    """Check that a checkpoint smaller than what was followed is its beginning."""
    whole = Checkpoint(origin=held.origin, size=held.edge.size, root=held.edge.root)
    if checkpoint.size and not await is_beginning(source, checkpoint.size, checkpoint.root, whole):
        raise LogForkedError


def _keep_lines_of(note: Note, vkeys: tuple[str, ...]) -> bytes:
    """Return the note with the lines of these keys only, each of which was verified."""
    keys = [VerifierKey.parse(text) for text in vkeys]
    lines: tuple[SignatureLine, ...] = tuple(
        line for line in note.signatures if any(line.is_of(key) for key in keys)
    )
    return Note(text=note.text, signatures=lines).serialise()


def _ratchet_name(origin: str) -> str:
    return f"vouched:{origin}"


async def _finish(task: asyncio.Task[None], until: float) -> bool:
    """Wait for a task until a moment of the loop's clock; return whether it ended."""
    left = max(until - asyncio.get_running_loop().time(), 0)
    await asyncio.wait({task}, timeout=left)
    return task.done()
