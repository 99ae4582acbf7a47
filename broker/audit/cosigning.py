"""Asking witnesses to vouch for the log: each on its own, so that none holds up another.

Rules: an answer counts only if it verifies under the witness's key of the trust list and is of this
minute; a witness that is absent, slow, refuses or lies costs nobody but itself. One that shows a
checkpoint which this log signed and does not hold any more stops the process: the database was put
back. Source: C2SP tlog-witness; house reference "audit-log", Sequencing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broker.audit.log import Log
from broker.audit.proofs import Proofs, SignedHead
from broker.audit.publication import Publication
from broker.audit.records import LogBehindError, LogError, LogForkedError
from datwat.party.telemetry import code_failure, get_logger
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from datwat.protocol.cosigning import (
    AddCheckpoint,
    CosigningFormError,
    find_other_line,
    read_cosignature_lines,
    read_size_answer,
)
from datwat.protocol.errors import DatwatError
from datwat.protocol.notes import Note, NoteError, SignatureLine, parse_note
from datwat.protocol.trust import TrustList, Witness

ASK_SECONDS = 20.0
CLOCKS_DIFFER_SECONDS = 60
_OK, _CONFLICT = 200, 409
_TRIES = 3
_log = get_logger("witnesses")


class WitnessRefusedError(LogError):
    """A witness answered with a refusal; `status` is the one of C2SP tlog-witness."""

    code = "witness_refused"
    default_detail = "A witness refuses to vouch for the log."

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__()


class WitnessAheadError(LogError):
    """A witness names a size that it cannot show."""

    code = "witness_ahead"
    default_detail = "A witness says that it saw a larger log, and does not show it."


class WitnessPort(Protocol):
    """Speaks to witnesses; bounded in time and bytes."""

    async def add_checkpoint(self, url: str, request: bytes) -> tuple[int, bytes]:
        """Post an add-checkpoint request; return status and body, or raise DatwatError."""
        ...

    async def find_checkpoint(self, url: str, origin: str) -> bytes | None:
        """Return the newest checkpoint that a witness shows of a log; None if it has none."""
        ...


@dataclass(slots=True)
class Asked:
    """How it went with one witness: the size it vouched for last, and what went wrong since."""

    size: int = 0
    at: datetime | None = None
    failure: str | None = None


class Cosigning:
    """Asks every witness of the list in force, round after round."""

    def __init__(
        self,
        log: Log,
        proofs: Proofs,
        publication: Publication,
        witnesses: WitnessPort,
        *,
        read_trust: Callable[[], TrustList],
        clock: Callable[[], datetime],
        on_alarm: Callable[[BaseException], None],
    ) -> None:
        """`on_alarm` is called when a witness proves that this log lost or changed entries."""
        self._log = log
        self._proofs = proofs
        self._publication = publication
        self._witnesses = witnesses
        self._read_trust = read_trust
        self._clock = clock
        self._on_alarm = on_alarm
        self._running: dict[str, asyncio.Task[None]] = {}
        self.asked: dict[str, Asked] = {}

    async def run(self, seconds: float) -> None:
        """Begin a round each `seconds`, for ever; whoever has not answered yet is left alone."""
        try:
            while True:
                try:
                    await self.begin_round()
                except Exception as error:  # noqa: BLE001 - a ratchet's server may be away
                    _log.warning("witness_round_failed", code=code_failure(error))
                await asyncio.sleep(seconds)
        finally:
            for task in self._running.values():
                task.cancel()

    async def begin_round(self) -> list[asyncio.Task[None]]:
        """Ask all who are not being asked; return the tasks that run now."""
        listed = {witness.name: witness for witness in self._read_trust().witnesses if witness.url}
        self._running = {name: task for name, task in self._running.items() if not task.done()}
        self.asked = {name: self.asked.get(name, Asked()) for name in listed}
        if not listed:
            return []
        head = await asyncio.to_thread(self._proofs.read_head)  # of a ratchet that may be away
        for name, witness in listed.items():
            if name not in self._running:
                self._running[name] = asyncio.ensure_future(self._try(witness, head))
        return list(self._running.values())

    async def require_not_behind(self) -> None:
        """Ask all witnesses, as far as they answer, whether they saw more of this log than it has.

        Raises:
            LogBehindError: one shows a larger checkpoint that this log signed.
            LogForkedError: one shows a signed checkpoint that is not the beginning of this log.
        """
        listed = [witness for witness in self._read_trust().witnesses if witness.url]
        found = await asyncio.gather(*map(self._find_seen, listed))
        for seen in found:
            if seen is not None:
                self._publication.require_contains(seen.size, seen.root)

    async def _try(self, witness: Witness, head: SignedHead) -> None:
        asked = self.asked[witness.name]
        try:
            async with asyncio.timeout(ASK_SECONDS):
                lines = await self._ask(witness, head, asked)
            await asyncio.to_thread(self._publication.offer, head, lines)
            asked.size, asked.at, failure = head.size, self._clock(), None
        except (LogBehindError, LogForkedError) as error:
            self._on_alarm(error)
            failure = error.code
        except TimeoutError:
            failure = "peer_too_slow"
        except Exception as error:  # noqa: BLE001 - whatever one witness does, the others go on
            failure = code_failure(error)
        if failure != asked.failure:
            _log.warning("witness", name=witness.name, failure=failure)
        asked.failure = failure

    async def _ask(
        self, witness: Witness, head: SignedHead, asked: Asked
    ) -> Sequence[SignatureLine]:
        """Return the witness's verified lines under `head`; raise DatwatError otherwise."""
        old = min(asked.size, head.size)
        for _ in range(_TRIES):
            proof = self._proofs.build_consistency(old, head.size)
            request = AddCheckpoint(old_size=old, proof=proof, checkpoint=head.note.encode())
            status, body = await self._witnesses.add_checkpoint(
                str(witness.url), request.serialise()
            )
            if status == _OK:
                return self._require_lines(witness, head, body)
            if status != _CONFLICT:
                await self._look_behind(witness)
                raise WitnessRefusedError(status)
            size = read_size_answer(body)
            if size > head.size:
                await self._look_behind(witness)
                raise WitnessAheadError
            old = asked.size = size
        raise WitnessAheadError

    def _require_lines(
        self, witness: Witness, head: SignedHead, body: bytes
    ) -> Sequence[SignatureLine]:
        lines = read_cosignature_lines(head.note.encode(), body, [witness.vkey])
        words = verify_cosignatures(
            Note(text=parse_note(head.note.encode()).text, signatures=lines), [witness.vkey]
        )
        now = self._clock().timestamp()
        if not words or abs(words[0].timestamp - now) > CLOCKS_DIFFER_SECONDS:
            raise CosigningFormError("The witness's cosignature is missing or of another time.")
        return (*lines, *find_other_line(head.note.encode(), body, lines))

    async def _look_behind(self, witness: Witness) -> None:
        """A witness saw more, or takes what it is asked for no growth of what it saw.

        If it can show what it saw, this log lost entries; it may have grown past that size since.
        """
        seen = await self._find_seen(witness)
        if seen is not None:
            self._publication.require_contains(seen.size, seen.root)

    async def _find_seen(self, witness: Witness) -> Checkpoint | None:
        """Return what a witness shows of this log, if this log signed it."""
        log = self._read_trust().log
        try:
            note = await self._witnesses.find_checkpoint(str(witness.url), log.origin)
            return None if note is None else verify_checkpoint(note, log.origin, log.vkeys)
        except (NoteError, DatwatError):
            return None  # absent or lying: neither says anything of the log
