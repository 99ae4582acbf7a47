"""The real OPA's decisions on questions under variants of a purpose, all in one query."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from broker.policy.decision import entry_point_of
from broker.policy.evaluation import Act, Evaluation
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from tests.mutate.engine import Engine

# The purpose is put in place of all others; everything else is the policy as it is.
HARNESS = """package harness

results[i] := decision if {
    some i in input.only
    case := data.cases[i]
    question := object.union(data.questions[case.question], {"purpose_digest": case.digest})
    purposes := data.variants[case.variant]
    decision := data.datwat[case.entry_point].decision with input as question
        with data.datwat.catalogue.purposes as purposes
}
"""
_AT_ONCE = 500
Decisions = list[dict[str, Any]]


def decide(
    opa: Engine,
    catalogue: Catalogue,
    purposes: Sequence[Purpose],
    questions: Sequence[Mapping[str, Any]],
) -> list[Decisions]:
    """Return, for each purpose, the decision on each question; each cites that very purpose."""
    cases = [
        {
            "entry_point": entry_point_of(cast("Act", question["act"])),
            "question": number,
            "variant": variant,
            "digest": derive_digest(purpose),
        }
        for variant, purpose in enumerate(purposes)
        for number, question in enumerate(questions)
    ]
    for question in questions:
        Evaluation.model_validate_json(json.dumps({**question, "purpose_digest": None}))
    opa.put_data("questions", list(questions))
    opa.put_data("variants", [build_purposes(catalogue, purpose) for purpose in purposes])
    opa.put_data("cases", cases)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(cases), _AT_ONCE):
        found |= opa.weigh(range(start, min(start + _AT_ONCE, len(cases))))
    assert len(found) == len(cases), "OPA decides nothing on some question"
    step = len(questions)
    return [[found[i] for i in range(start, start + step)] for start in range(0, len(cases), step)]


def build_purposes(catalogue: Catalogue, purpose: Purpose) -> dict[str, Any]:
    """Return `data.datwat.catalogue.purposes` with this one revision, whether it fits or not."""
    alone = catalogue.model_copy(update={"purposes": {purpose.id: (purpose,)}})
    purposes: dict[str, Any] = alone.to_data()["purposes"]
    return purposes
