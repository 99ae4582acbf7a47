"""What was played: each step with what came out of it, and what of that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.client.results import ActResult, ActResults, InquiryResult, ReleaseResult
from demo.checking import check_act
from demo.events import AnyEvent
from demo.model import LogExpected
from demo.parts import Expected
from demo.resident import OwnLog

_PERMITTED = Expected()


@dataclass(frozen=True)
class Step:
    """An event that was played: what came out, by person, and what of it differs."""

    event: AnyEvent
    results: dict[str, ActResult | InquiryResult | ReleaseResult] = field(default_factory=dict)
    log: OwnLog | None = None
    facts: tuple[str, ...] = ()
    compared: tuple[ReleaseResult, ...] = ()
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogStep:
    """A resident's log at the end of a case."""

    expected: LogExpected
    log: OwnLog
    differences: tuple[str, ...]


def build_step(
    event: AnyEvent,
    persons: Sequence[str],
    answer: ActResults | Sequence[ActResult],
    failed: Sequence[str] = (),
    *,
    expected: Expected = _PERMITTED,
) -> Step:
    """Return the step of an act about persons, each of whom must come out as expected."""
    given = answer.results if isinstance(answer, ActResults) else answer
    results = dict(zip(persons, given, strict=False))
    differences = [
        f"{key}: {difference}"
        for key, result in results.items()
        for difference in check_act(expected, result)
    ]
    differences += [f"failed with {code}" for code in failed]
    differences += [f"{key}: no answer" for key in persons if key not in results]
    return Step(event, {**results}, differences=tuple(differences))
