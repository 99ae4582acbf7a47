"""Trying drafts beside the running broker: their cases, and the mutation check.

Rules: nothing of a trial runs on the loop that answers partners, or on the OPA that does; one
mutation check at a time, and so many trials at once (`at_once.py`). Pages and commands call the
same functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter

from broker.policy.mutating import MutationResult
from broker.policy.trial import CasesResult
from broker.purposes.cases import Case, Failure
from broker.purposes.models import Purpose, derive_digest
from broker.trying.at_once import AtOnce
from broker.trying.trial_process import Task, TaskName, encode_task
from broker.trying.trial_spawn import TrialBusyError, TrialFailedError, converse, kill, spawn
from datwat.party.errors import PartyError
from datwat.protocol.bundle import Bundle

_PATIENCE = 120.0  # seconds for cases; a mutation check takes what it takes
_FAILURES = TypeAdapter(tuple[Failure, ...])


@dataclass(slots=True)
class MutationJob:
    """A mutation check: how many mutants were weighed, and what came out when it is done."""

    digest: str
    state: Literal["running", "done", "failed"] = "running"
    done: int = 0
    total: int = 0
    result: MutationResult | None = None
    detail: str = ""


class Trials:
    """Tries drafts; one object per process."""

    def __init__(
        self,
        read_bundle: Callable[[], Bundle],
        clock: Callable[[], datetime],
        at_once: AtOnce | None = None,
    ) -> None:
        """Keep where the bundle in force is; nothing runs yet. `at_once` is shared with replays."""
        self._read_bundle = read_bundle
        self._clock = clock
        self._at_once = at_once or AtOnce()
        self._job: MutationJob | None = None
        self._checking: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many trials of all kinds run now."""
        return self._at_once.running

    async def close(self) -> None:
        """End what runs."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    async def run_cases(
        self, archive: bytes, purpose_id: str | None, by: str | None = None
    ) -> Sequence[Failure]:
        """Return how the cases of a candidate come out otherwise; those of a purpose, or all.

        `by`: who tries, as in each of these. Raises TrialRefusedError, TrialFailedError,
        TrialsFullError, OwnTrialsError.
        """
        task = Task(name="run", archive=archive, now=self._now(), purpose=purpose_id)
        with self._at_once.hold(by):
            return _FAILURES.validate_json(orjson.dumps(await self._try(task)))

    async def try_cases(
        self, draft: Purpose, cases: Sequence[Case] | None = None, *, by: str | None = None
    ) -> CasesResult:
        """Return the cases of a draft beside what comes out; None: those of the bundle in force.

        Raises TrialRefusedError, TrialFailedError, TrialsFullError, OwnTrialsError.
        """
        task = self._build_task("cases", draft, cases)
        with self._at_once.hold(by):
            return CasesResult.model_validate_json(orjson.dumps(await self._try(task)))

    def mutate(
        self, draft: Purpose, cases: Sequence[Case] | None = None, *, by: str | None = None
    ) -> MutationJob:
        """Begin the mutation check of a draft; `find_mutation` tells how it goes.

        Raises TrialBusyError, TrialsFullError, OwnTrialsError.
        """
        if self._job is not None and self._job.state == "running":
            raise TrialBusyError
        with ExitStack() as stack:
            stack.enter_context(self._at_once.hold(by))
            task = self._build_task("mutate", draft, cases)
            job = self._job = MutationJob(derive_digest(draft))
            self._checking = asyncio.ensure_future(self._mutate(job, task))
            held = stack.pop_all()
        self._checking.add_done_callback(lambda _task: held.close())
        return job

    def find_mutation(self, digest: str | None = None) -> MutationJob | None:
        """Return the mutation check of a draft, or the newest, if it is still held here."""
        job = self._job
        return job if job is not None and digest in (None, job.digest) else None

    async def _mutate(self, job: MutationJob, task: Task) -> None:
        def on_progress(line: dict[str, Any]) -> None:
            job.done, job.total = line["done"], line["total"]

        try:
            found = await self._try(task, on_progress, patience=None)
            job.result = MutationResult.model_validate_json(orjson.dumps(found))
            job.state = "done"
        except (PartyError, ValueError) as error:
            job.state = "failed"
            job.detail = getattr(error, "detail", TrialFailedError.default_detail)

    def _build_task(self, name: TaskName, draft: Purpose, cases: Sequence[Case] | None) -> Task:
        return Task(
            name=name,
            archive=self._read_bundle().archive,
            now=self._now(),
            purpose=draft.id,
            draft=draft,
            cases=None if cases is None else tuple(cases),
        )

    async def _try(
        self,
        task: Task,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        *,
        patience: float | None = _PATIENCE,
    ) -> Any:  # noqa: ANN401 - JSON
        process = await spawn("broker.trying.trial_process", stdin=True)
        try:
            async with asyncio.timeout(patience):
                return await converse(process, encode_task(task), on_progress)
        except TimeoutError:
            raise TrialFailedError from None
        finally:
            kill(process)
            await process.wait()

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)
