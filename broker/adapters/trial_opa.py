"""An OPA for trials: a process of its own beside the one that serves, many questions in one call.

Rules enforced: it runs on an archive signed with a key of this start only; its token reaches health
and the harness (`datwat/trial`), no decision path and no write; it dies with its parent. A question
that has no decision gives None, which whoever asked takes for a denial.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from broker.adapters.opa_process import OpaProcess, OpaStartError
from broker.policy.decision import entry_point_of
from broker.policy.engine import PolicyUnavailableError
from broker.policy.trial import ENTRIES, open_trial_bundle

AT_ONCE = 200
_PATHS = [("v1", "data", *entry) for entry in ENTRIES]
_RESULTS, _CHANGED = ("/" + "/".join(path) for path in _PATHS)
_READY_SECONDS = 30.0
_READY_INTERVAL = 0.02
_PATIENCE = 60.0  # seconds for one query: a trial judges what is answered, not how fast
_OK = 200


class TrialOpa:
    """Implements `broker.policy.trial.TrialEngine`; queries run side by side, one a connection."""

    def __init__(self, binary: Path, archive: bytes) -> None:
        """Keep what to run; `archive` has the harness (`build_trial_archive`)."""
        self._binary = binary
        self._archive = archive
        self._process: OpaProcess | None = None
        self._idle: list[HTTPConnection] = []

    async def __aenter__(self) -> Self:
        """Start OPA and return when the archive is active; raises OpaStartError."""
        bundle = await asyncio.to_thread(open_trial_bundle, self._archive)
        self._process = await OpaProcess.start(self._binary, bundle, _PATHS)
        try:
            await self._wait_until_ready(self._process)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def weigh(
        self, questions: Sequence[Mapping[str, Any]], purpose: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the decisions, in order, at most 200 in one query.

        A question with an act that no entry point weighs gets None. Raises PolicyUnavailableError
        where OPA answers nothing at all.
        """
        decisions: list[dict[str, Any] | None] = []
        for start in range(0, len(questions), AT_ONCE):
            some = questions[start : start + AT_ONCE]
            items = [{"entry": _find_entry(one), "question": one} for one in some]
            body = {"items": items} if purpose is None else {"items": items, "purpose": purpose}
            path = _RESULTS if purpose is None else _CHANGED
            found = await asyncio.to_thread(self._ask, path, orjson.dumps({"input": body}))
            decisions.extend(found.get(str(number)) for number in range(len(some)))
        return decisions

    async def weigh_raw(self, entries: Sequence[str], questions: Sequence[bytes]) -> dict[str, Any]:
        """Return the decisions on questions that are JSON already, by number; for replay."""
        items = b",".join(
            b'{"entry":"%s","question":%s}' % (entry.encode(), question)
            for entry, question in zip(entries, questions, strict=True)
        )
        return await asyncio.to_thread(self._ask, _RESULTS, b'{"input":{"items":[%s]}}' % items)

    def _ask(self, path: str, body: bytes) -> dict[str, Any]:
        process = self._process
        if process is None or not process.is_running:
            raise PolicyUnavailableError
        connection = self._idle.pop() if self._idle else self._connect(process)
        headers = {
            "Authorization": f"Bearer {process.token}",
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException):
            connection.close()
            raise PolicyUnavailableError from None  # no exception of a client is shown
        self._idle.append(connection)
        if response.status != _OK:
            raise PolicyUnavailableError
        found: dict[str, Any] = orjson.loads(answer).get("result", {})
        return found

    @staticmethod
    def _connect(process: OpaProcess) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", process.port, timeout=_PATIENCE)

    async def _wait_until_ready(self, process: OpaProcess) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS):
                while process.is_running and not process.has_refused:
                    # Asking tells the token: nobody but the child may be asked.
                    if process.is_listening and await asyncio.to_thread(_is_ready, process):
                        process.remove_files()
                        return
                    await asyncio.sleep(_READY_INTERVAL)
        raise OpaStartError

    async def _stop(self) -> None:
        while self._idle:
            self._idle.pop().close()
        process, self._process = self._process, None
        if process is not None:
            await process.stop()


def _is_ready(process: OpaProcess) -> bool:
    connection = HTTPConnection("127.0.0.1", process.port, timeout=1.0)
    headers = {"Authorization": f"Bearer {process.token}"}
    try:
        connection.request("GET", "/health?bundles=true", headers=headers)
        return connection.getresponse().status == _OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _find_entry(question: Mapping[str, Any]) -> str:
    try:
        return entry_point_of(question["act"])
    except KeyError:
        return ""
