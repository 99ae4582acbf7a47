from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, get_args

import pytest

from broker.policy.decision import Decision, EntryPoint, entry_point_of
from broker.policy.engine import PolicyUnavailableError, parse_answer, require_sound
from broker.policy.evaluation import Act, Ask, Evaluation, SpecialSituationFacts
from tests.policy.opa_world import DECISION, NOW, make_evaluation

BASIS = {"giver_article": "Wgs 8", "taker_article": "Wgs 8", "mode": "duty"}
RELEASE = {
    "rung": "wat",
    "open_rung": "wat",
    "fields": ["status"],
    "withheld": [{"field": "kind", "code": "field_not_in_purpose"}],
    "legal_basis": BASIS,
}
SITUATION = SpecialSituationFacts(
    ground="safety",
    decider="d1",
    declared_at=NOW,
    until_at=NOW + timedelta(days=7),
    opening="by_person",
)


def decision(**changes: object) -> Decision:
    answer = {
        "provenance": {"version": "1", "bundles": {"datwat": {"revision": "r1"}}},
        "result": {**DECISION, **changes},
    }
    return parse_answer(json.dumps(answer).encode(), "r1")


def unsatisfied(blade: str) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = DECISION["findings"]
    return [{**one, "satisfied": one["blade"] != blade} for one in findings]


def release() -> Evaluation:
    ask = Ask(
        rung="wat",
        source="00000099000000002000:debt-help",
        source_function="debt-help",
        product="debt",
        fields=("status", "kind"),
        motivation_length={},
        involvement=None,
    )
    return make_evaluation(act="release", ask=ask)


def register() -> Evaluation:
    nothing = make_evaluation().ask.model_copy(update={"rung": "none"})
    return make_evaluation(act="register", ask=nothing)


@pytest.mark.parametrize(
    ("evaluation", "changes"),
    [
        (make_evaluation(), {}),
        (make_evaluation(), {"rung": "category"}),
        (make_evaluation(), {"findings": unsatisfied("subsidiarity")}),  # advice does not block
        (make_evaluation(), {"permit": False, "rung": "none", "findings": unsatisfied("purpose")}),
        (make_evaluation(new_special_situation=SITUATION), {"notice": "later"}),
        (release(), RELEASE),
        (
            release(),
            {"permit": False, "rung": "none", "findings": unsatisfied("purpose")},
        ),
        (register(), {"rung": "none", "open_rung": "none", "expires_days": 365}),
    ],
)
def test_a_decision_that_can_answer_the_question_passes(
    evaluation: Evaluation, changes: dict[str, Any]
) -> None:
    assert require_sound(evaluation, decision(**changes)) == decision(**changes)


@pytest.mark.parametrize(
    ("evaluation", "changes"),
    [
        pytest.param(make_evaluation(), {"rung": "wat"}, id="rung above the one asked"),
        pytest.param(make_evaluation(), {"rung": "none"}, id="permit of nothing"),
        pytest.param(make_evaluation(), {"stated_permit": False}, id="permit against stated facts"),
        pytest.param(
            make_evaluation(),
            {"permit": False, "findings": unsatisfied("purpose")},
            id="denial with a rung",
        ),
        pytest.param(make_evaluation(), {"permit": False, "rung": "none"}, id="denial, no reason"),
        pytest.param(make_evaluation(), {"findings": DECISION["findings"][1:]}, id="blade missing"),
        pytest.param(make_evaluation(), {"fields": ["status"]}, id="fields below wat"),
        pytest.param(make_evaluation(), {"notice": "later"}, id="later without a ground"),
        pytest.param(register(), {}, id="an act that takes something"),
        pytest.param(release(), {**RELEASE, "fields": ["other"]}, id="field not asked"),
        pytest.param(release(), {**RELEASE, "fields": ["status", "status"]}, id="field twice"),
        pytest.param(release(), {**RELEASE, "fields": ["status", "kind"]}, id="given and withheld"),
        pytest.param(release(), {**RELEASE, "withheld": []}, id="field without an answer"),
        pytest.param(release(), {**RELEASE, "fields": []}, id="release of nothing"),
        pytest.param(release(), {**RELEASE, "legal_basis": None}, id="release without articles"),
        pytest.param(
            release(),
            {**RELEASE, "permit": False, "rung": "none", "findings": unsatisfied("purpose")},
            id="denial with fields",
        ),
    ],
)
def test_nonsense_is_a_denial(evaluation: Evaluation, changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyUnavailableError):
        require_sound(evaluation, decision(**changes))


def test_every_act_has_one_entry_point_and_each_is_used() -> None:
    used = {entry_point_of(act) for act in get_args(Act)}
    assert used == set(get_args(EntryPoint))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        json.dumps({"result": DECISION}).encode(),
        json.dumps({"provenance": {}, "result": DECISION}).encode(),
        json.dumps({"provenance": {"bundles": {}}, "result": DECISION}).encode(),
        json.dumps(
            {"provenance": {"bundles": {"other": {"revision": "r1"}}}, "result": DECISION}
        ).encode(),
        json.dumps(
            {"provenance": {"bundles": {"datwat": {"revision": "r2"}}}, "result": DECISION}
        ).encode(),
        json.dumps({"provenance": {"bundles": {"datwat": {"revision": "r1"}}}}).encode(),
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_decision_of_this_revision_is_a_denial(answer: bytes) -> None:
    with pytest.raises(PolicyUnavailableError):
        parse_answer(answer, "r1")
