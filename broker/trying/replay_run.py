"""Running one replay from where it was put down: read, put, compare, count, put down.

Rules: what is counted and how far it is change together, about once a second, so that a run that is
killed is gone on with and nothing counts twice; a record that cannot be read is counted by its
place and passed. The policy in force is asked too where a decision was made by another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from broker.adapters.replay_inputs import KeptInput, ReplayInputs
from broker.adapters.replay_store import ReplayTask, SqlReplays
from broker.adapters.trial_opa import TrialOpa
from broker.policy.replay import (
    DamagedInputError,
    Kept,
    build_ground,
    is_decided_in_force,
    normalise,
    put_question,
    read_kept,
)
from broker.policy.replay_tally import Outcome, Tally
from broker.policy.trial import build_trial_archive, open_trial_bundle
from broker.purposes.catalogue import Catalogue
from datwat.party import clock

_AT_ONCE = 64  # more in one query costs OPA more each: what it collects meanwhile
_SIDE_BY_SIDE = 2
_PUT_DOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Put:
    """One decision as it is put: the question of now, and by whom it was decided."""

    kept: Kept
    question: bytes = field(repr=False)
    is_waiting: bool
    is_mapped: bool
    is_in_force: bool


class ReplayRun:
    """One run of one replay, by the runner that took it."""

    def __init__(self, task: ReplayTask, replays: SqlReplays, inputs: ReplayInputs) -> None:
        """Keep what to go on with; nothing is started yet."""
        self._task = task
        self._replays = replays
        self._inputs = inputs
        self._tally: Tally = task.tally
        self._stack = AsyncExitStack()
        self._base: TrialOpa | None = None
        self._digests: Mapping[str, str] = {}
        self._base_archive = b""

    async def run(self, binary: Path) -> bool:
        """Go on until the end; return False where somebody stopped it.

        Raises OpaStartError where one of the two policies does not load, KeyStoreError.
        """
        task = self._task
        policies = await asyncio.to_thread(build_policies, task)
        self._digests, self._base_archive = policies.digests, policies.base
        async with self._stack:
            draft = await self._stack.enter_async_context(TrialOpa(binary, policies.draft))
            return await self._go_on(binary, draft)

    async def _go_on(self, binary: Path, draft: TrialOpa) -> bool:
        task, at_index = self._task, self._task.at_index
        put_down_at = time.monotonic()
        batch = self._fetch(at_index)
        while at_index < task.plan.to_index:
            found, at_index = await batch
            batch = self._fetch(at_index)  # the next one is read while this one is weighed
            await self._weigh_all(found, binary, draft)
            if time.monotonic() - put_down_at >= _PUT_DOWN_SECONDS:
                if not await asyncio.to_thread(self._replays.put_down, task, self._tally, at_index):
                    await batch
                    return False
                put_down_at = time.monotonic()
        await batch
        now = clock.now().replace(microsecond=0)
        return await asyncio.to_thread(self._replays.finish, task, self._tally, at_index, now)

    def _fetch(self, start: int) -> asyncio.Future[tuple[list[KeptInput], int]]:
        limit = _AT_ONCE * _SIDE_BY_SIDE
        return asyncio.ensure_future(
            asyncio.to_thread(self._inputs.fetch, start, self._task.plan.to_index, limit)
        )

    async def _weigh_all(self, found: Sequence[KeptInput], binary: Path, draft: TrialOpa) -> None:
        puts = [put for put in map(self._read, found) if put is not None]
        parts = [puts[start : start + _AT_ONCE] for start in range(0, len(puts), _AT_ONCE)]
        if any(not put.is_in_force for put in puts) and self._base is None:
            base = TrialOpa(binary, self._base_archive)
            self._base = await self._stack.enter_async_context(base)
        outcomes = await asyncio.gather(*(self._weigh(part, draft) for part in parts))
        for outcome in (one for part in outcomes for one in part):
            self._tally.add(outcome)

    async def _weigh(self, puts: Sequence[_Put], draft: TrialOpa) -> list[Outcome]:
        after = await _ask(draft, puts)
        others = [put for put in puts if not put.is_in_force]
        by_base = iter(await _ask(self._base, others) if self._base is not None and others else ())
        outcomes = []
        for put, changed in zip(puts, after, strict=True):
            before = put.kept.decided if put.is_in_force else next(by_base)
            outcomes.append(_build_outcome(put, before, changed))
        return outcomes

    def _read(self, one: KeptInput) -> _Put | None:
        if one.state == "kept":
            try:
                kept = read_kept(one.document)
            except DamagedInputError:
                self._tally.add_damaged(one.at_index)
                return None
            if kept is not None:
                return self._put(kept, is_waiting=one.is_waiting)
        if one.state == "damaged":
            self._tally.add_damaged(one.at_index)
        elif one.state == "erased" and not one.is_waiting:
            self._tally.erased += 1
        else:
            self._tally.other += 1
        return None

    def _put(self, kept: Kept, *, is_waiting: bool) -> _Put:
        question, is_mapped = put_question(kept, self._digests)
        in_force = is_decided_in_force(kept, self._task.plan.base_revision, self._digests)
        return _Put(kept, question, is_waiting, is_mapped, in_force)


def _build_outcome(put: _Put, before: Any, after: Any) -> Outcome:  # noqa: ANN401 - JSON
    """Return the two decisions beside each other; what is the same byte for byte is not read."""
    is_drifted = False
    if before != after or not put.is_in_force:
        before, after = normalise(before), normalise(after)
        is_drifted = not put.is_in_force and before != normalise(put.kept.decided)
    return Outcome(
        kept=put.kept,
        before=before,
        after=after,
        is_waiting=put.is_waiting,
        is_drifted=is_drifted,
        is_mapped=put.is_mapped,
    )


async def _ask(engine: TrialOpa, puts: Sequence[_Put]) -> list[dict[str, Any] | None]:
    entries = [put.kept.entry_point for put in puts]
    found = await engine.weigh_raw(entries, [put.question for put in puts])
    return [found.get(str(number)) for number in range(len(puts))]


class Policies(NamedTuple):
    """The two policies of a replay as archives, and by purpose the revision that is named."""

    base: bytes
    draft: bytes
    digests: Mapping[str, str]


def build_policies(task: ReplayTask) -> Policies:
    """Return the policies that a replay puts beside each other; the same ones each time.

    Raises BundleError, PolicyFileError where the draft does not fit.
    """
    plan = task.plan
    catalogue = Catalogue.from_bundle(open_trial_bundle(task.archive))
    without = plan.purpose if plan.draft is None else None
    ground = build_ground(catalogue, plan.planned_at, draft=plan.draft, without=without)
    base, draft = (build_trial_archive(task.archive, one) for one in (ground.base, ground.draft))
    return Policies(base, draft, ground.digests)
