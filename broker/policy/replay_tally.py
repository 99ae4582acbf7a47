"""Counting what a replay finds, batch by batch.

Rules enforced: the count can be put down after any batch and taken up again; decisions that wait to
be told are in no row and no example; what an example says names nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from broker.policy.replay import Kept
from broker.policy.replay_result import (
    Effect,
    OutcomeShown,
    ReplayExample,
    ReplayPlan,
    ReplayResult,
    ReplayRow,
    ReplayState,
    ReplayWaiting,
)
from datwat.protocol.messages import RUNGS

SMALL = 10
MOST_DAMAGED = 100
_MOST_EXAMPLES = 60
_EXAMPLES_PER_ROW = 3


class _Count(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Row(_Count):
    """How often, and what was gained and lost how often."""

    count: int = 0
    gained: dict[str, int] = Field(default_factory=dict)
    lost: dict[str, int] = Field(default_factory=dict)


class Tally(_Count):
    """What was counted so far; `rows` by purpose, partner and effect, one text each."""

    weighed: int = 0
    same: int = 0
    newly_allowed: int = 0
    newly_refused: int = 0
    changed: int = 0
    drifted: int = 0
    mapped: int = 0
    other: int = 0
    erased: int = 0
    damaged: int = 0
    damaged_at: list[int] = Field(default_factory=list)
    waiting: int = 0
    waiting_allowed: int = 0
    rows: dict[str, Row] = Field(default_factory=dict)
    examples: list[ReplayExample] = Field(default_factory=list)

    def add_damaged(self, index: int) -> None:
        """Count an input that cannot be read."""
        self.damaged += 1
        if len(self.damaged_at) < MOST_DAMAGED:
            self.damaged_at.append(index)

    def add(self, outcome: Outcome) -> None:
        """Count one decision."""
        effect = outcome.effect
        if outcome.is_waiting:
            # Among the rest: how many entries there are is public, so what is left would tell.
            self.other += 1
            self.waiting += effect is not None
            self.waiting_allowed += effect == "newly_allowed"
            return
        self.weighed += 1
        self.drifted += outcome.is_drifted
        self.mapped += outcome.is_mapped
        if effect is None:
            self.same += 1
            return
        if effect == "newly_allowed":
            self.newly_allowed += 1
        elif effect == "newly_refused":
            self.newly_refused += 1
        else:
            self.changed += 1
        self._add_row(outcome, effect)

    def _add_row(self, outcome: Outcome, effect: Effect) -> None:
        gained, lost = outcome.list_changes()
        kept = outcome.kept
        row = self.rows.setdefault(f"{kept.purpose or ''} {kept.partner} {effect}", Row())
        row.count += 1
        for held, names in ((row.gained, gained), (row.lost, lost)):
            for name in names:
                held[name] = held.get(name, 0) + 1
        if row.count <= _EXAMPLES_PER_ROW and len(self.examples) < _MOST_EXAMPLES:
            example = _build_example(outcome, effect, gained, lost)
            if example not in self.examples:
                self.examples.append(example)

    def list_rows(self) -> tuple[ReplayRow, ...]:
        """Return the rows, by purpose and partner."""
        rows = []
        for name, row in sorted(self.rows.items()):
            purpose, partner, effect = name.split(" ")
            members = {"partner": partner, "effect": effect, **row.model_dump()}
            rows.append(ReplayRow.model_validate({"purpose": purpose or None, **members}))
        return tuple(rows)

    def show_waiting(self) -> ReplayWaiting:
        """Return what may be shown of decisions that wait."""
        return ReplayWaiting(
            is_few=self.waiting < SMALL,
            at_least=self.waiting // SMALL * SMALL,
            newly_allowed_at_least=self.waiting_allowed // SMALL * SMALL,
        )

    @property
    def needs_sign_off(self) -> bool:
        """Whether somebody must say that what would newly be allowed is meant.

        Fewer than ten that wait ask for nothing: that they do would tell that they are there.
        """
        return self.newly_allowed > 0 or self.waiting_allowed >= SMALL


@dataclass(frozen=True, slots=True)
class Outcome:
    """One decision beside the other, both normalised; None is no decision, which denies.

    `before`: as it was decided, or as the policy in force decides it where that drifted.
    """

    kept: Kept = field(repr=False)
    before: Mapping[str, Any] | None = field(repr=False)
    after: Mapping[str, Any] | None = field(repr=False)
    is_waiting: bool
    is_drifted: bool
    is_mapped: bool

    @property
    def effect(self) -> Effect | None:
        """What differs the most; None where nothing does."""
        before, after = self.before, self.after
        if before == after:
            return None
        if _permits(before) != _permits(after):
            return "newly_allowed" if _permits(after) else "newly_refused"
        if before is None or after is None or not _permits(before):
            return "other"
        effects = (name for name, read in _EFFECTS if read(before) != read(after))
        return next(effects, "other")

    def list_changes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what the draft gives more, and what less."""
        before, after = _list_given(self.before), _list_given(self.after)
        gained = {name for name, height in after.items() if height > before.get(name, 0)}
        lost = {name for name, height in before.items() if height > after.get(name, 0)}
        return tuple(sorted(gained)), tuple(sorted(lost))


def build_result(
    number: int,
    plan: ReplayPlan,
    tally: Tally,
    *,
    state: ReplayState,
    at_index: int,
    started_at: datetime,
    ended_at: datetime | None,
    signed_off_at: datetime | None,
) -> ReplayResult:
    """Return a replay as people may see it."""
    done = state == "done"
    counted = tally.model_dump(exclude={"rows", "examples", "waiting", "waiting_allowed"})
    return ReplayResult(
        number=number,
        state=state,
        is_withdrawal=plan.draft is None,
        **plan.model_dump(exclude={"draft", "planned_at"}),
        at_index=at_index,
        started_at=started_at,
        ended_at=ended_at,
        **{**counted, "damaged_at": tuple(tally.damaged_at)},
        rows=tally.list_rows(),
        waiting=tally.show_waiting() if done else None,
        examples=tuple(tally.examples),
        needs_sign_off=tally.needs_sign_off,
        signed_off_at=signed_off_at,
    )


def _permits(decision: Mapping[str, Any] | None) -> bool:
    return decision is not None and bool(decision["permit"])


def _read_kinds(decision: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        f"{row['function']}/{row['kind']}": (row["plain"], row["shielded"])
        for row in decision["caps"]
    }


def _read_obligations(decision: Mapping[str, Any]) -> set[str]:
    return {item["code"] for item in decision["obligations"]}


def _list_given(decision: Mapping[str, Any] | None) -> dict[str, int]:
    """Return what a decision gives, each with its height."""
    if decision is None or not decision["permit"]:
        return {}
    kinds = {
        f"kind:{name}": max(RUNGS.index(plain), 0)
        for name, (plain, _) in _read_kinds(decision).items()
    }
    fields = {f"field:{name}": 1 for name in decision["fields"]}
    return {**kinds, **fields, **{f"obligation:{code}": 1 for code in _read_obligations(decision)}}


def _build_example(
    outcome: Outcome, effect: Effect, gained: tuple[str, ...], lost: tuple[str, ...]
) -> ReplayExample:
    evaluation = outcome.kept.evaluation
    occasion, ask = evaluation.get("occasion") or {}, evaluation["ask"]
    return ReplayExample(
        purpose=outcome.kept.purpose,
        partner=outcome.kept.partner,
        effect=effect,
        act=evaluation["act"],
        occasion=occasion.get("kind"),
        asked_rung=ask["rung"],
        product=ask["product"],
        before=_shorten(outcome.before),
        after=_shorten(outcome.after),
        gained=gained,
        lost=lost,
    )


def _shorten(decision: Mapping[str, Any] | None) -> OutcomeShown:
    if decision is None:
        return OutcomeShown(permit=False, rung="none", unmet=("policy_unavailable",))
    unmet = sorted(item["code"] for item in decision["findings"] if not item["satisfied"])
    return OutcomeShown(permit=decision["permit"], rung=decision["rung"], unmet=tuple(unmet))


# What of a permit may differ, the weightiest first.
_EFFECTS: tuple[tuple[Effect, Callable[[Mapping[str, Any]], object]], ...] = (
    ("rung", lambda decision: decision["rung"]),
    ("fields", lambda decision: set(decision["fields"])),
    ("kinds", _read_kinds),
    ("obligations", _read_obligations),
)
