"""The process in which drafts are tried: `python -m broker.trying.trial_process TASK`.

Rules: it dies with its parent; a task comes in by standard input, progress and result go out as
lines of JSON, and nothing of anybody lies on a disk; a replay reads the database of its home and
writes how far it is there. Nothing here answers partners, or asks the OPA that does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson
from pydantic import Field

from broker.adapters.opa_process import find_opa
from broker.adapters.trial_opa import TrialOpa
from broker.policy.mutating import MutationGround, MutationResult, check_mutants
from broker.policy.trial import (
    CasesResult,
    apply_draft,
    build_trial_archive,
    find_failures,
    open_trial_bundle,
    read_codes,
    try_cases,
)
from broker.purposes.bundled_cases import bind_cases, read_bases, read_cases
from broker.purposes.case_texts import derive_era
from broker.purposes.cases import Case, Failure
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from datwat.protocol.bundle import Bundle
from datwat.protocol.errors import DatwatError
from datwat.protocol.texts import Texts
from datwat.protocol.values import BytesUpTo16M, Moment, Value

TaskName = Literal["run", "cases", "mutate"]
Tell = Callable[[dict[str, Any]], None]


class Task(Value):
    """What is to be tried. `archive`: of the bundle in force, or of a candidate for `run`.

    `cases`: those of the draft, None for those in the archive; `purpose`: only its cases.
    """

    name: TaskName
    archive: BytesUpTo16M = Field(repr=False)
    now: Moment
    purpose: str | None = None
    draft: Purpose | None = None
    cases: tuple[Case, ...] | None = None


def encode_task(task: Task) -> bytes:
    """Return what the process reads; nothing that a case left out is said."""
    members = task.model_dump(mode="json", exclude={"cases"})
    if task.cases is not None:
        members["cases"] = [one.model_dump(mode="json", exclude_unset=True) for one in task.cases]
    return orjson.dumps(members)


class _Bench:
    """A draft put in the place of its purpose, and the cases as they are put to it."""

    def __init__(self, task: Task) -> None:
        archive = task.archive
        self.bundle: Bundle = open_trial_bundle(archive)
        self.catalogue = Catalogue.from_bundle(self.bundle)
        cases = read_cases(self.bundle.cases)
        if task.draft is not None:
            self.catalogue = apply_draft(self.catalogue, task.draft, task.now)
            if task.cases is not None:
                others = [one for one in cases if one.purpose != task.draft.id]
                cases = (*others, *task.cases)
        bound = bind_cases(cases, self.catalogue)
        self.cases = [one for one in bound if task.purpose in (None, one.purpose)]
        self.data = self.catalogue.to_data()
        self.archive = build_trial_archive(archive, self.data)

    async def open_engine(self) -> TrialOpa:
        """Return the engine that weighs it, to be entered."""
        return TrialOpa(await find_opa(), self.archive)


async def run_task(task: Task, tell: Tell) -> Any:  # noqa: ANN401 - JSON
    """Return the result of a task as JSON values; `tell` hears how far it is."""
    bench = await asyncio.to_thread(_Bench, task)
    async with await bench.open_engine() as engine:
        if task.name == "mutate" and task.draft is not None:
            return (await _mutate(task.draft, bench, engine, tell)).model_dump(mode="json")
        if task.name == "cases":
            return (await _try(task, bench, engine)).model_dump(mode="json")
        failures = await _run(bench.cases, engine)
    return [failure.model_dump(mode="json") for failure in failures]


async def _run(cases: Sequence[Case], engine: TrialOpa) -> list[Failure]:
    decisions = await engine.weigh([case.question for case in cases])
    return [
        failure
        for case, decision in zip(cases, decisions, strict=True)
        for failure in find_failures(case, decision)
    ]


async def _try(task: Task, bench: _Bench, engine: TrialOpa) -> CasesResult:
    results = await try_cases(engine, bench.cases, read_codes(bench.catalogue))
    return CasesResult(
        purpose=task.purpose,
        digest=derive_digest(task.draft) if task.draft is not None else None,
        total=len(results),
        failed=sum(not one.passed for one in results),
        cases=results,
    )


async def _mutate(draft: Purpose, bench: _Bench, engine: TrialOpa, tell: Tell) -> MutationResult:
    era = derive_era(read_cases(bench.bundle.cases), draft)
    ground = MutationGround(
        purpose=draft,
        catalogue=bench.catalogue,
        data=bench.data,
        cases=bench.cases,
        bases=read_bases(bench.bundle.cases),
        texts=Texts(bench.bundle.texts),
        moved_by=draft.valid_from - era,
    )
    return await check_mutants(
        engine, ground, lambda done, total: tell({"done": done, "total": total})
    )


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def describe_error(error: DatwatError) -> dict[str, Any]:
    """Return a refusal as a line."""
    return {"error": {"code": error.code, "detail": error.detail, "place": error.place}}


def main() -> int:
    """Run the task on standard input; exit 1 where it was refused."""
    try:
        task = Task.model_validate_json(sys.stdin.buffer.read())
        _tell({"result": asyncio.run(run_task(task, _tell))})
    except DatwatError as error:
        _tell(describe_error(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
