"""OPA as the policy engine: supervised beside the broker.

Rules enforced: decisions by the revision in force only (`opa_link.py`); an OPA that is lost, or
refuses a bundle, decides nothing; a bundle is tried before it takes over, and what is in force
before that stays so until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from broker.adapters.opa_held import Held, find_held, hold
from broker.adapters.opa_link import DEADLINE_SECONDS, OpaLink
from broker.adapters.opa_process import OpaProcess, OpaRefusedError, OpaStartError
from broker.policy.decision import Decision, EntryPoint
from broker.policy.engine import Decisions, PolicyUnavailableError, derive_retention
from broker.policy.evaluation import Evaluation
from broker.policy.proving import Prove
from datwat.party import metrics
from datwat.party.telemetry import get_logger
from datwat.protocol.bundle import Bundle

_READY_SECONDS = 15.0
_READY_INTERVAL = 0.02
_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 10.0
_LIVED_LONG = 30.0
# A case is tried with patience, for a machine that is busy says nothing of the bundle.
_PROVING_SECONDS = 5.0
# The longest message there is has been weighed by then.
_LONGEST_USE = 10.0
_log = get_logger("policy")


class InForce:
    """The bundle whose decisions are believed, and what follows from it."""

    _bundle: Bundle

    @property
    def revision(self) -> str:
        """The revision of the bundle in force."""
        return self._bundle.revision

    @property
    def bundle(self) -> Bundle:
        """The bundle in force."""
        return self._bundle

    @property
    def retention(self) -> timedelta:
        """How long an entry without a purpose of its own is kept."""
        return derive_retention(self._bundle)

    def hold(self) -> AbstractContextManager[Held]:
        """Weigh all that this task evaluates inside by one revision."""
        return hold()


class SupervisedOpa(InForce):
    """OPA as a child: started, kept alive with back-off, replaced whole for a new bundle, stopped.

    Between a crash and the restart every question is denied; one that hangs is ended and started
    anew. A new bundle gets an OPA of its own, and takes over only when that one is ready: no
    question ever sees half of it, and a bundle that OPA refuses leaves the old one in force. The
    old OPA ends when the last message that began with it is answered.
    """

    def __init__(self, binary: Path, bundle: Bundle, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._binary = binary
        self._deadline = deadline
        self._bundle = bundle
        self._running: _Running | None = None
        self._changing = asyncio.Lock()
        self._supervisor: asyncio.Task[None] | None = None
        self._retiring: dict[asyncio.Task[None], _Running] = {}

    async def __aenter__(self) -> Self:
        """Start OPA and return when its bundle is active; raises OpaStartError."""
        self._running = await _Running.start(self._binary, self._bundle, self._deadline)
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        for retiring, old in tuple(self._retiring.items()):
            retiring.cancel()
            await asyncio.gather(retiring, return_exceptions=True)
            await old.stop()  # a task that had not begun yet ended nothing
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    @property
    def pid(self) -> int | None:
        """The process id of OPA, None while it is being restarted."""
        return self._running.process.pid if self._running else None

    @property
    def process(self) -> OpaProcess:
        """The process in force, for who measures it; raises PolicyUnavailableError."""
        return self._require_running().process

    async def is_ready(self) -> bool:
        """Tell whether OPA answers and its bundle is active."""
        return self._running is not None and await self._running.link.is_ready()

    async def prove(self, prove: Prove) -> None:
        """Try the bundle in force; raises what `prove` raises."""
        await self._require_running().prove(prove)

    async def activate(
        self,
        bundle: Bundle,
        prove: Prove | None = None,
        on_active: Callable[[], None] | None = None,
    ) -> None:
        """Put `bundle` in force, whole, once `prove` let it pass; then the old one is gone.

        `on_active` is called in the same moment. Raises OpaStartError, and what `prove` raises:
        then the old one is in force as before.
        """
        new = await _Running.start(self._binary, bundle, self._deadline)
        try:
            if prove is not None:
                await new.prove(prove)
            await self._changing.acquire()
        except BaseException:
            await new.stop()
            raise
        try:
            old, self._running, self._bundle = self._running, new, bundle
            if self._supervisor is not None:  # it waits for the old one to be lost
                self._supervisor.cancel()
                self._supervisor = asyncio.create_task(self._supervise())
            if on_active is not None:
                on_active()
        finally:
            self._changing.release()
        if old is not None:
            retiring = asyncio.create_task(old.retire())
            self._retiring[retiring] = old
            retiring.add_done_callback(self._retiring.pop)

    async def evaluate(self, evaluations: Sequence[Evaluation]) -> Decisions:
        """Return one decision per evaluation; raises PolicyUnavailableError, PolicyChangedError."""
        running = self._find_running()
        running.take()
        try:
            return await running.link.weigh_all(evaluations, running.revision)
        finally:
            running.give_back()

    async def query(self, entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
        """Return the decision on any document, as cases have them; no net is held under it."""
        running = self._require_running()
        return await running.link.query_document(entry_point, document, running.revision)

    def _find_running(self) -> _Running:
        """Return the OPA for the message that this task answers, or the one in force."""
        held = find_held()
        if held is None:
            return self._require_running()
        found = held.find()
        if isinstance(found, _Running):
            return found
        running = self._require_running()
        held.take(running)
        return running

    def _require_running(self) -> _Running:
        # A child that has ended holds its port no longer: whoever answers there is not OPA.
        if self._running is None or not self._running.is_running:
            raise PolicyUnavailableError
        return self._running

    async def _supervise(self) -> None:
        back_off = _FIRST_BACK_OFF
        while (running := self._running) is not None:
            await running.process.wait_until_lost(running.link.is_ready)
            async with self._changing:
                if self._running is not running:
                    continue  # replaced by a new bundle's
                self._running = None
                await running.stop()
                _log.error("opa_lost")
                metrics.count("datwat_policy_engine_lost_total")
                if time.monotonic() - running.started > _LIVED_LONG:
                    back_off = _FIRST_BACK_OFF
                while self._running is None:
                    await asyncio.sleep(back_off)
                    back_off = min(back_off * 2, _LONGEST_BACK_OFF)
                    with contextlib.suppress(OpaStartError):
                        self._running = await _Running.start(
                            self._binary, self._bundle, self._deadline
                        )


class _Running:
    """A ready OPA and the link to it."""

    def __init__(self, process: OpaProcess, link: OpaLink, revision: str) -> None:
        self.process = process
        self.link = link
        self.revision = revision
        self.started = time.monotonic()
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()

    @property
    def is_running(self) -> bool:
        """Whether it can be asked: a child that has ended holds its port no longer."""
        return self.process.is_running

    def take(self) -> None:
        """Keep it running for one message more."""
        self._users += 1
        self._unused.clear()

    def give_back(self) -> None:
        """Say that a message is done with it."""
        self._users -= 1
        if not self._users:
            self._unused.set()

    @classmethod
    async def start(cls, binary: Path, bundle: Bundle, deadline: float) -> _Running:
        """Return OPA when `bundle` is active in it; an OpaStartError leaves nothing behind."""
        process = await OpaProcess.start(binary, bundle)
        link = OpaLink("127.0.0.1", process.port, token=process.token, deadline=deadline)
        running = cls(process, link, bundle.revision)
        try:
            await link.open()
            await running._wait_until_ready()
        except BaseException:
            await running.stop()
            raise
        metrics.count("datwat_policy_engine_starts_total")
        return running

    async def stop(self) -> None:
        """Close the link and end the process."""
        await self.link.close()
        await self.process.stop()

    async def retire(self) -> None:
        """End when nobody needs it any more, or has needed it for longer than there is need."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_USE):
                    await self._unused.wait()
        finally:
            await self.stop()

    async def prove(self, prove: Prove) -> None:
        """Let `prove` ask it whatever it wants, with more patience than a question has."""
        port, token = self.process.port, self.process.token
        link = OpaLink("127.0.0.1", port, token=token, deadline=_PROVING_SECONDS)

        async def query(entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
            return await link.query_document(entry_point, document, self.revision)

        await link.open()
        try:
            await prove(query)
        finally:
            await link.close()

    async def _wait_until_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS):
                while self.process.is_running and not self.process.has_refused:
                    # Asking tells the token: nobody but the child may be asked.
                    if self.process.is_listening and await self.link.is_ready():
                        self.process.remove_files()
                        return
                    await asyncio.sleep(_READY_INTERVAL)
        raise OpaRefusedError if self.process.has_refused else OpaStartError
