"""OPA as the policy engine: supervised beside the broker, or somewhere else by URL.

Rules enforced: decisions by the revision in force only (`opa_link.py`); an OPA that is lost, or
refuses a bundle, decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from broker.adapters.opa_link import DEADLINE_SECONDS, OpaLink
from broker.adapters.opa_process import OpaProcess, OpaStartError
from broker.policy.decision import Decision, EntryPoint
from broker.policy.engine import Decisions, PolicyUnavailableError, derive_retention
from broker.policy.evaluation import Evaluation
from datwat.protocol.bundle import Bundle

_READY_SECONDS = 15.0
_READY_INTERVAL = 0.02
_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 10.0
_LIVED_LONG = 30.0
_log = logging.getLogger(__name__)


class _InForce:
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


class ExternalOpa(_InForce):
    """An OPA that somebody else runs; believed only while it runs the revision in force here.

    Its bundle must be named `datwat`; `datwat purpose sign --opa-key` makes an archive that it can
    verify.
    """

    def __init__(
        self, url: str, token: str, bundle: Bundle, *, deadline: float = DEADLINE_SECONDS
    ) -> None:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        self._link = OpaLink(
            parts.hostname or "",
            parts.port or (443 if tls else 8181),
            token=token,
            tls=tls,
            deadline=deadline,
        )
        self._bundle = bundle

    async def __aenter__(self) -> Self:
        await self._link.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._link.close()

    async def is_ready(self) -> bool:
        """Tell whether OPA answers and has active bundles."""
        return await self._link.is_ready()

    async def activate(self, bundle: Bundle) -> None:
        """Accept decisions by `bundle` only; until that OPA has loaded it, all is denied."""
        self._bundle = bundle

    async def evaluate(self, evaluations: Sequence[Evaluation]) -> Decisions:
        """Return one decision per evaluation; raises PolicyUnavailableError."""
        return await self._link.weigh_all(evaluations, self._bundle.revision)

    async def query(self, entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
        """Return the decision on any document, as cases have them; no net is held under it."""
        return await self._link.query_document(entry_point, document, self.revision)


class SupervisedOpa(_InForce):
    """OPA as a child: started, kept alive with back-off, replaced whole for a new bundle, stopped.

    Between a crash and the restart every question is denied; one that hangs is ended and started
    anew. A new bundle gets an OPA of its own, and takes over only when that one is ready: no
    question ever sees half of it, and a bundle that OPA refuses leaves the old one in force.
    """

    def __init__(self, binary: Path, bundle: Bundle, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._binary = binary
        self._deadline = deadline
        self._bundle = bundle
        self._running: _Running | None = None
        self._changing = asyncio.Lock()
        self._supervisor: asyncio.Task[None] | None = None

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
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    @property
    def pid(self) -> int | None:
        """The process id of OPA, None while it is being restarted."""
        return self._running.process.pid if self._running else None

    async def is_ready(self) -> bool:
        """Tell whether OPA answers and its bundle is active."""
        return self._running is not None and await self._running.link.is_ready()

    async def activate(self, bundle: Bundle) -> None:
        """Put `bundle` in force, whole; after an OpaStartError the old one is still in force."""
        async with self._changing:
            new = await _Running.start(self._binary, bundle, self._deadline)
            old, self._running, self._bundle = self._running, new, bundle
        if old is not None:
            await asyncio.sleep(self._deadline)  # the questions it still has are answered first
            await old.stop()

    async def evaluate(self, evaluations: Sequence[Evaluation]) -> Decisions:
        """Return one decision per evaluation; raises PolicyUnavailableError."""
        running = self._require_running()
        return await running.link.weigh_all(evaluations, running.revision)

    async def query(self, entry_point: EntryPoint, document: dict[str, Any]) -> Decision:
        """Return the decision on any document, as cases have them; no net is held under it."""
        running = self._require_running()
        return await running.link.query_document(entry_point, document, running.revision)

    def _require_running(self) -> _Running:
        # A child that has ended holds its port no longer: whoever answers there is not OPA.
        if self._running is None or not self._running.process.is_running:
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
                _log.error("opa is lost; questions are denied until it runs again")
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
        return running

    async def stop(self) -> None:
        """Close the link and end the process."""
        await self.link.close()
        await self.process.stop()

    async def _wait_until_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS):
                while self.process.is_running and not self.process.has_refused:
                    # Asking tells the token: nobody but the child may be asked.
                    if self.process.is_listening and await self.link.is_ready():
                        self.process.remove_files()
                        return
                    await asyncio.sleep(_READY_INTERVAL)
        raise OpaStartError
