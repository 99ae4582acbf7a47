"""Replays beside the running broker: begun, followed, stopped, gone on with, signed off.

Rules: one at a time, each in a process of its own, whose end leaves what was counted so far; what
newly would be allowed is signed off by somebody who did not write it, in a statement on the log
that names no person. Pages and commands call the same functions.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from broker.adapters.replay_store import SqlReplays
from broker.audit.records import Appendable, Job, Statement
from broker.policy.draft_reading import find_authors
from broker.policy.replay_result import (
    ReplayPlan,
    ReplayResult,
    TrialState,
    derive_trial_state,
)
from broker.purposes.drafts import DraftRow
from broker.purposes.life_errors import OwnProposalError
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.roles import Role
from broker.trying.at_once import AtOnce
from broker.trying.trial_spawn import TrialBusyError, kill, spawn
from datwat.party.errors import PartyError
from datwat.party.telemetry import get_logger
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import encode_canonical

_log = get_logger("broker")


class ReplayUnknownError(PartyError):
    """No such replay, or one that ended."""

    code = "replay_unknown"
    default_detail = "There is no such replay: `datwat purpose replay list` shows them."


class ReplayStateError(PartyError):
    """A replay in a state in which this cannot be done."""

    code = "replay_state"
    default_detail = "This replay is not in a state in which that can be done."


@dataclass(frozen=True, slots=True)
class ReplayPorts:
    """What the process around hands in.

    `read_size`: how many entries the log has; `list_drafts`: those that are kept, in a thread.
    """

    home: Path
    replays: SqlReplays
    read_bundle: Callable[[], Bundle]
    read_size: Callable[[], int]
    list_drafts: Callable[[], Sequence[DraftRow]]
    append: Callable[[Job], Awaitable[Any]]
    clock: Callable[[], datetime]


class Replays:
    """The replays of one running broker; one object per process."""

    def __init__(self, ports: ReplayPorts, at_once: AtOnce | None = None) -> None:
        """Keep the ports; nothing runs yet. `at_once` is shared with the other trials."""
        self._ports = ports
        self._at_once = at_once or AtOnce()
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()
        self._signing = asyncio.Lock()

    @property
    def is_running(self) -> bool:
        """Whether a replay has its process now."""
        return bool(self._running)

    async def close(self) -> None:
        """End what runs; it is gone on with later."""
        for process in self._running.values():
            kill(process)
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def start_replay(self, draft: Purpose, *, by: str | None = None) -> ReplayResult:
        """Begin to put every decision that was kept to a draft; return how it stands.

        `by`: who tries, as in each of these. Raises TrialBusyError, TrialsFullError,
        OwnTrialsError.
        """
        return await self._start(draft.id, derive_digest(draft), draft, by)

    async def start_withdrawal(
        self, purpose_id: str, digest: str, *, by: str | None = None
    ) -> ReplayResult:
        """Begin the same for a purpose that would be taken out; raises the same."""
        return await self._start(purpose_id, digest, None, by)

    async def _start(
        self, purpose_id: str, digest: str, draft: Purpose | None, by: str | None
    ) -> ReplayResult:
        ports, bundle, now = self._ports, self._ports.read_bundle(), self._now()
        plan = ReplayPlan(
            purpose=purpose_id,
            digest=digest,
            draft=draft,
            base_seq=bundle.seq,
            base_revision=bundle.revision,
            from_index=0,
            to_index=ports.read_size(),
            planned_at=now,
        )
        async with self._place(by) as held:
            number = await asyncio.to_thread(ports.replays.begin, plan, bundle.archive, now)
            await self._run(number, held)
        return await self.require_replay(number)

    async def stop_replay(self, number: int) -> ReplayResult:
        """Stop a replay; what was counted stays. Raises ReplayUnknownError, ReplayStateError."""
        await self.require_replay(number)
        replays = self._ports.replays
        if not await asyncio.to_thread(replays.set_state, number, ("running",), "stopped"):
            raise ReplayStateError("This replay does not run.")
        process = self._running.get(number)
        if process is not None:
            kill(process)
        return await self.require_replay(number)

    async def resume_replay(self, number: int, *, by: str | None = None) -> ReplayResult:
        """Go on with a replay that was stopped, was interrupted or failed.

        Raises ReplayUnknownError, ReplayStateError, TrialBusyError, TrialsFullError,
        OwnTrialsError.
        """
        async with self._place(by) as held:
            await self.require_replay(number)
            replays = self._ports.replays
            was = ("stopped", "failed", "running")
            if not await asyncio.to_thread(replays.set_state, number, was, "running"):
                raise ReplayStateError("This replay is done.")
            await self._run(number, held)
        return await self.require_replay(number)

    def find_replay(
        self, number: int | None = None, digest: str | None = None
    ) -> ReplayResult | None:
        """Return a replay, or the newest of a draft or of all; one without a process is stopped."""
        found = self._ports.replays.find(number, digest)
        return None if found is None else self._settle(found)

    def list_replays(self) -> list[ReplayResult]:
        """Return the newest hundred, the newest first."""
        return [self._settle(one) for one in self._ports.replays.list_newest()]

    async def require_replay(self, number: int) -> ReplayResult:
        """Return a replay; raise ReplayUnknownError."""
        found = await asyncio.to_thread(self.find_replay, number)
        if found is None:
            raise ReplayUnknownError
        return found

    async def sign_off(self, number: int, role: Role, staff: str) -> ReplayResult:
        """State on the log that what a draft newly allows is meant; it names no person.

        The draft must be kept, so that it is known who wrote it: `staff` may not be among them.
        Raises ReplayUnknownError, ReplayStateError, OwnProposalError, LogError.
        """
        async with self._signing:  # one after the other: the second finds it signed off
            result = await self._require_signable(number, staff)
            now = self._now()
            statement = Statement(build_sign_off(result, role), now)

            def work(_conn: Connection) -> Sequence[Appendable]:
                return [statement]

            await self._ports.append(Job(work))
            await asyncio.to_thread(self._ports.replays.sign_off, number, now)
        return await self.require_replay(number)

    async def _require_signable(self, number: int, staff: str) -> ReplayResult:
        """Return a replay that this person may sign off; raise as `sign_off` says."""
        result = await self.require_replay(number)
        if result.state != "done":
            raise ReplayStateError("This replay is not done: wait for it first.")
        if not result.needs_sign_off or result.signed_off_at is not None:
            raise ReplayStateError("This replay asks for no sign-off.")
        authors = await asyncio.to_thread(self._list_authors, result)
        if not authors:
            raise ReplayStateError("The draft of this replay is not kept: its author saves it.")
        if staff in authors:
            raise OwnProposalError(
                "You wrote this draft yourself: somebody else must say that it is meant."
            )
        return result

    def read_sign_off(self, purpose_digest: str) -> TrialState:
        """Return what the newest replay of a draft says that is done, beside what is in force.

        One that was begun after it, and stopped, takes nothing back. Without any entry about a
        person there is nothing that a draft could newly allow: clean.
        """
        replays, revision = self._ports.replays, self._ports.read_bundle().revision
        state = derive_trial_state(replays.find_done(purpose_digest, revision))
        return "clean" if state == "none" and not replays.has_entries() else state

    def _list_authors(self, result: ReplayResult) -> frozenset[str]:
        return find_authors(self._ports.list_drafts(), result.purpose, result.digest)

    @asynccontextmanager
    async def _place(self, by: str | None) -> AsyncIterator[ExitStack]:
        """Hold a place for one replay until its process took it over, or none began."""
        async with self._starting:
            if self._running:
                raise TrialBusyError
            with ExitStack() as held:
                held.enter_context(self._at_once.hold(by))
                yield held

    def _settle(self, result: ReplayResult) -> ReplayResult:
        if result.state == "running" and result.number not in self._running:
            return result.model_copy(update={"state": "stopped"})
        return result

    async def _run(self, number: int, held: ExitStack) -> None:
        arguments = (str(self._ports.home), str(number))
        process = await spawn("broker.trying.replay_process", *arguments)
        self._running[number] = process
        watching = asyncio.ensure_future(self._watch(number, process, held.pop_all()))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _watch(
        self, number: int, process: asyncio.subprocess.Process, held: ExitStack
    ) -> None:
        said = b""
        try:
            _, said = await process.communicate()
        finally:
            kill(process)
            self._running.pop(number, None)
            held.close()
        if process.returncode != 0 and said:
            _log.warning("replay_failed", code=said.decode("ascii", "replace").strip()[:60])

    def _now(self) -> datetime:
        return self._ports.clock().replace(microsecond=0)


def build_sign_off(result: ReplayResult, role: Role) -> bytes:
    """Return the public statement that what a replay newly allows is meant."""
    shown = result.model_copy(update={"signed_off_at": None}).model_dump(mode="json")
    return encode_canonical(
        {
            "v": 1,
            "type": "replay_signed_off",
            "purpose": result.purpose,
            "digest": result.digest,
            "base_revision": result.base_revision,
            "result_sha256": hashlib.sha256(encode_canonical(shown)).hexdigest(),
            "organisation": role.organisation,
            "role": role.name,
        }
    )
