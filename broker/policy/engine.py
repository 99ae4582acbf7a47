"""The port to the policy engine, and the net under it: nonsense is a denial.

Rule enforced: no policy, no data. OPA silent, slow, undefined, malformed or missing raises
`PolicyUnavailableError`, and nobody is given anything (promise 2). The net computes no permission:
it refuses a decision that contradicts itself or the question, whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, overload

from pydantic import BaseModel, ValidationError

from broker.policy.bundle import BUNDLE_NAME
from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from datwat.protocol.bundle import Bundle
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import BLADES, RUNGS

_ASKING = frozenset({"inquire", "request_contact", "release"})


class PolicyUnavailableError(DatwatError):
    """No well-formed decision was given: denied, whatever was asked."""

    code = "policy_unavailable"
    default_detail = (
        "The policy engine gives no decision now, so nothing is given. Try again later."
    )


class PolicyChangedError(DatwatError):
    """Part of a message was answered by rules that are not in force any more."""

    code = "policy_changed"
    default_detail = (
        "The rules changed while this message was being answered, and one message is answered by "
        "one revision only. What was recorded stands; send the message anew, with a new rid."
    )


@dataclass(frozen=True, slots=True)
class Decisions(Sequence[Decision]):
    """The decisions on one message, one per person in order, all by one revision of the bundle."""

    items: tuple[Decision, ...]
    revision: str

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Decision: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Decision, ...]: ...
    def __getitem__(self, index: int | slice) -> Decision | tuple[Decision, ...]:
        return self.items[index]


class Hold(Protocol):
    """One message, which is weighed by one revision from its first person to its last."""

    def bind(self, revision: str) -> None:
        """Say that part of the message was weighed before, by `revision`.

        Raises PolicyChangedError where another part was weighed by another one.
        """


class PolicyEngine(Protocol):
    """Weighs questions; the only place where anything is permitted."""

    @property
    def revision(self) -> str:
        """The revision of the bundle in force."""

    @property
    def retention(self) -> timedelta:
        """How long an entry without a purpose of its own is kept (`derive_retention`)."""

    async def evaluate(self, evaluations: Sequence[Evaluation]) -> Decisions:
        """Return one decision per evaluation, in order, each weighed by a call of its own.

        Raises PolicyUnavailableError for all when one of them gets no well-formed decision, and
        PolicyChangedError inside a `hold` for which that revision is gone.
        """

    def hold(self) -> AbstractContextManager[Hold]:
        """Weigh all that is evaluated inside, by whoever entered, by one revision.

        It is the one in force at the first evaluation, and stays at hand until the end, also where
        another one comes into force meanwhile.
        """


def derive_retention(bundle: Bundle) -> timedelta:
    """Return how long the covenant keeps an entry that no question of a purpose led to."""
    return timedelta(days=bundle.catalogue["covenant"]["retention_days"])


class _Bundle(BaseModel):
    revision: str


class _Provenance(BaseModel):
    bundles: dict[str, _Bundle]


class _Answer(BaseModel):
    """What OPA answers, read in one pass; `result` is absent where the rule is undefined."""

    provenance: _Provenance
    result: Decision


class _Bare(BaseModel):
    """What OPA answers, whatever it decided."""

    provenance: _Provenance


def parse_revision(answer: bytes) -> str | None:
    """Return the revision that made an answer with provenance, None where it does not say."""
    try:
        used = _Bare.model_validate_json(answer).provenance.bundles.get(BUNDLE_NAME)
    except (ValidationError, RecursionError):
        return None
    return used.revision if used is not None else None


def parse_answer(answer: bytes, revision: str) -> Decision:
    """Return the decision in OPA's answer with provenance, if it was made by this revision.

    Raises PolicyUnavailableError otherwise.
    """
    try:
        read = _Answer.model_validate_json(answer)
    except (ValidationError, RecursionError):
        raise PolicyUnavailableError from None
    used = read.provenance.bundles.get(BUNDLE_NAME)
    if used is None or used.revision != revision:
        raise PolicyUnavailableError
    return read.result


def require_sound(evaluation: Evaluation, decision: Decision) -> Decision:
    """Return `decision` if it can answer `evaluation`; raise PolicyUnavailableError if not.

    1. Each blade was unfolded; a permit holds on the stated facts too; a denial has a reason. 2.
    What is asked is permitted at a rung, up to the one asked; every other act has none. 3. Fields
    are given at *wat* only, and then some, among those asked, each once; each other one is
       withheld with a code; both articles are named. 4. Telling later takes a special situation.
    """
    sound = (
        {finding.blade for finding in decision.findings} == set(BLADES)
        and decision.permit <= decision.stated_permit
        and (decision.permit or not all(finding.satisfied for finding in decision.findings))
        and _is_rung_sound(evaluation, decision)
        and _are_fields_sound(evaluation, decision)
        and (decision.notice == "now" or _has_special_situation(evaluation))
    )
    if not sound:
        raise PolicyUnavailableError
    return decision


def _is_rung_sound(evaluation: Evaluation, decision: Decision) -> bool:
    takes = decision.permit and evaluation.act in _ASKING
    within = RUNGS.index(decision.rung) <= RUNGS.index(evaluation.ask.rung)
    return takes == (decision.rung != "none") and within


def _are_fields_sound(evaluation: Evaluation, decision: Decision) -> bool:
    given = decision.fields
    if decision.rung != "wat":
        return not given
    accounted = sorted((*given, *(item.field for item in decision.withheld)))
    return (
        bool(given)
        and accounted == sorted(evaluation.ask.fields)
        and decision.legal_basis is not None
    )


def _has_special_situation(evaluation: Evaluation) -> bool:
    held = evaluation.occasion.special_situation if evaluation.occasion else None
    opened = evaluation.opens.special_situation if evaluation.opens else None
    return bool(held or opened or evaluation.new_special_situation)
