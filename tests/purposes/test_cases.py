"""The cases of the officers, weighed by a real OPA; inputs and decisions keep their contract."""

from __future__ import annotations

import json

from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from broker.purposes.cases import Case, compare
from broker.purposes.catalogue import Catalogue
from datwat.protocol.messages import BLADES
from tests.mutate.engine import Engine
from tests.purposes.conftest import weigh


def test_every_case_comes_out_as_it_says(opa: Engine, cases: tuple[Case, ...]) -> None:
    decisions = weigh(opa, [case.question for case in cases])
    differences = [
        difference
        for case, decision in zip(cases, decisions, strict=True)
        for difference in compare(case, Decision.model_validate_json(json.dumps(decision)))
    ]
    assert differences == []


def test_every_question_is_a_complete_evaluation(cases: tuple[Case, ...]) -> None:
    for case in cases:
        Evaluation.model_validate_json(json.dumps(case.question))


def test_what_differs_is_reported(opa: Engine, cases: tuple[Case, ...]) -> None:
    case = cases[0]
    other = case.model_copy(
        update={"expect": case.expect.model_copy(update={"permit": not case.expect.permit})}
    )
    decision = weigh(opa, [case.question])[0]
    assert compare(case, decision) == ()
    failures = compare(other, decision)
    assert [failure.member for failure in failures] == ["permit"]
    assert case.name in failures[0].case


def test_each_purpose_has_a_permit_and_a_refusal_per_blade(
    cases: tuple[Case, ...], catalogue: Catalogue
) -> None:
    for purpose in catalogue.purposes:
        own = [case for case in cases if case.purpose == purpose]
        assert any(case.expect.permit for case in own), purpose
        refused = [case for case in own if not case.expect.permit]
        blades = {
            catalogue.codes[code].blade
            for case in refused
            for code in case.expect.unmet
            if catalogue.codes[code].acts
        }
        assert blades >= (
            set(BLADES) if purpose != "own_access" else set(BLADES) - {"efficiency", "transparency"}
        ), purpose


def test_each_purpose_has_a_case_with_a_missing_fact(
    cases: tuple[Case, ...], catalogue: Catalogue
) -> None:
    for purpose in catalogue.purposes:
        if purpose in {"own_access", "early_debt_signals"}:
            continue  # no release, so no conversation or involvement that could be missing
        missing = [
            case
            for case in cases
            if case.purpose == purpose
            and not case.expect.permit
            and None
            in (
                case.question["occasion"],
                case.question["member"],
                case.question["ask"]["involvement"],
            )
        ]
        assert missing, purpose


def test_all_blades_always_give_findings(opa: Engine, cases: tuple[Case, ...]) -> None:
    for decision in weigh(opa, [case.question for case in cases]):
        findings = Decision.model_validate_json(json.dumps(decision)).findings
        assert {finding.blade for finding in findings} == set(BLADES)


def test_the_human_rungs_are_always_named(opa: Engine, cases: tuple[Case, ...]) -> None:
    for decision in weigh(opa, [case.question for case in cases]):
        assert decision["alternatives"] == [
            "talk_first",
            "consult_anonymously",
            "request_contact",
            "later",
        ]
