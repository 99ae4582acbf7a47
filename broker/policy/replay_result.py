"""What a replay found, as people see it.

Rules enforced: no example names anybody; decisions that wait to be told are in one sum that says
nothing below ten (promise 5); what newly would be allowed asks that somebody says it is meant.
"""

from __future__ import annotations

from typing import Literal

from broker.purposes.models import Purpose
from datwat.protocol.values import Moment, Value

Effect = Literal[
    "newly_allowed", "newly_refused", "rung", "fields", "kinds", "obligations", "other"
]
ReplayState = Literal["running", "stopped", "done", "failed"]
TrialState = Literal["none", "clean", "newly_allowed", "signed_off"]


class OutcomeShown(Value):
    """One decision in short. `unmet`: the codes that were not satisfied."""

    permit: bool
    rung: str
    unmet: tuple[str, ...]


class ReplayExample(Value):
    """One decision that comes out otherwise, without anything that names a person or a moment."""

    purpose: str | None
    partner: str
    effect: Effect
    act: str
    occasion: str | None
    asked_rung: str
    product: str | None
    before: OutcomeShown
    after: OutcomeShown
    gained: tuple[str, ...]
    lost: tuple[str, ...]


class ReplayRow(Value):
    """One purpose, partner and effect. `gained` and `lost`: `field:…`, `kind:…`, `obligation:…`."""

    purpose: str | None
    partner: str
    effect: Effect
    count: int
    gained: dict[str, int]
    lost: dict[str, int]


class ReplayWaiting(Value):
    """Decisions that wait to be told and come out otherwise: in tens, or fewer than ten."""

    is_few: bool
    at_least: int
    newly_allowed_at_least: int


class ReplayLine(Value):
    """A replay in short. `weighed` and what follows count nothing that waits to be told.

    `same + newly_allowed + newly_refused + changed == weighed`. `drifted`: came out otherwise by
    the policy in force already, and are compared with that. `mapped`: were put with another
    revision of their purpose than they named. `other`: entries that decided nothing, and those that
    wait.
    """

    number: int
    state: ReplayState
    purpose: str
    digest: str
    is_withdrawal: bool
    base_seq: int
    base_revision: str
    from_index: int
    at_index: int
    to_index: int
    started_at: Moment
    ended_at: Moment | None
    weighed: int
    same: int
    newly_allowed: int
    newly_refused: int
    changed: int
    drifted: int
    mapped: int
    other: int
    erased: int
    damaged: int
    needs_sign_off: bool
    signed_off_at: Moment | None


class ReplayResult(ReplayLine):
    """A replay as far as it is. `waiting` is None until it is done."""

    damaged_at: tuple[int, ...]
    rows: tuple[ReplayRow, ...]
    waiting: ReplayWaiting | None
    examples: tuple[ReplayExample, ...]


class ReplayPlan(Value):
    """What a replay weighs: log[from_index:to_index), by the bundle in force when it was planned.

    `draft` is None where the purpose is taken out.
    """

    purpose: str
    digest: str
    draft: Purpose | None
    base_seq: int
    base_revision: str
    from_index: int
    to_index: int
    planned_at: Moment


def derive_trial_state(result: ReplayResult | None) -> TrialState:
    """Return what a replay says to whoever would propose the draft."""
    if result is None or result.state != "done":
        return "none"
    if not result.needs_sign_off:
        return "clean"
    return "signed_off" if result.signed_off_at is not None else "newly_allowed"
