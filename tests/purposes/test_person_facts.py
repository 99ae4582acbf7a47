"""Inputs that differ only in facts of the person give the same answer on everything stated."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from broker.purposes.cases import Case
from tests.mutate.engine import Engine
from tests.purposes.conftest import weigh

MOMENTS = st.sampled_from(["2026-01-05T09:00:00Z", "2026-03-01T09:00:00Z", "2026-08-01T09:00:00Z"])
PURPOSES = st.sampled_from(
    ["coordinate_family_help", "debt_counselling", "school_attendance", "wmo_intake"]
)
SOURCES = st.sampled_from(
    [
        "00000099000000002000:debt-counselling",
        "00000099000000002003:income",
        "00000099000000001000:social-team",
    ]
)
CONSENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["explicit", "no_objection"]),
        "purpose": PURPOSES,
        "product": st.none(),
        "fields": st.just([]),
        "source": st.none() | SOURCES,
        "requester": st.none(),
        "given_by": st.sampled_from(["self", "representative", "both"]),
        "written": st.booleans(),
        "given_at": MOMENTS,
        "until_at": MOMENTS,
        "withdrawn_at": st.none() | MOMENTS,
    }
)
OBJECTIONS = st.fixed_dictionaries(
    {
        "purpose": st.none() | PURPOSES,
        "made_at": MOMENTS,
        "state": st.sampled_from(["open", "upheld", "rejected"]),
    }
)
AUTHORITIES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["one_parent", "both_parents", "disagreement", "mentor"]),
        "source": st.sampled_from(["register", "stated"]),
        "checked_at": MOMENTS,
        "until_at": MOMENTS,
    }
)
BLOCKS = st.fixed_dictionaries(
    {
        "organisation": st.sampled_from(
            ["00000099000000001000:social-team", "00000099000000002003:income"]
        ),
        "since_at": MOMENTS,
    }
)
INVOLVEMENTS = st.fixed_dictionaries(
    {
        "source": SOURCES,
        "function": st.sampled_from(["debt-counselling", "income", "social-team", "shelter"]),
        "kind": st.sampled_from(["debt_counselling", "income_support", "shelter_stay"]),
        "shielded": st.booleans(),
        "since_at": MOMENTS,
        "expires_at": MOMENTS,
        "ended_at": st.none() | MOMENTS,
        "shown_at": MOMENTS,
    }
)
PERSON_FACTS = st.fixed_dictionaries(
    {
        "consents": st.lists(CONSENTS, max_size=3),
        "objections": st.lists(OBJECTIONS, max_size=2),
        "blocks": st.lists(BLOCKS, max_size=2),
        "authorities": st.lists(AUTHORITIES, max_size=2),
        "involvement": st.none() | INVOLVEMENTS,
        "contact_asked_at": st.none() | MOMENTS,
        "contact_unanswered_since": st.none() | MOMENTS,
    }
)
STATED = (
    "stated_permit", "open_rung", "remedies", "alternatives", "obligations", "scope", "legal_basis",
    "notice", "audience", "expires_days", "retention_days",
)  # fmt: skip


def with_person_facts(question: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(question)
    changed["ask"]["involvement"] = facts["involvement"]
    changed.update({name: value for name, value in facts.items() if name != "involvement"})
    Evaluation.model_validate_json(json.dumps(changed))
    return changed


def _stated(decision: dict[str, Any]) -> dict[str, Any]:
    return {
        "findings": [item for item in decision["findings"] if item["about"] == "stated"],
        **{member: decision[member] for member in STATED},
    }


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_stated_does_not_depend_on_the_person(
    opa: Engine, cases: tuple[Case, ...], data: st.DataObject
) -> None:
    question = data.draw(st.sampled_from(cases)).question
    variants = data.draw(st.lists(PERSON_FACTS, min_size=4, max_size=8))
    decisions = weigh(opa, [question, *(with_person_facts(question, facts) for facts in variants)])
    for one, other in itertools.pairwise(decisions):
        assert _stated(one) == _stated(other)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_more_than_needed(opa: Engine, cases: tuple[Case, ...], data: st.DataObject) -> None:
    questions = [
        with_person_facts(data.draw(st.sampled_from(cases)).question, data.draw(PERSON_FACTS))
        for _ in range(8)
    ]
    for question, raw in zip(questions, weigh(opa, questions), strict=True):
        decision = Decision.model_validate_json(json.dumps(raw))
        asked = question["ask"]["fields"]
        assert set(decision.fields) <= set(asked)
        assert {item.field for item in decision.withheld} == set(asked) - set(decision.fields)
        assert not decision.permit or decision.stated_permit
        assert decision.permit or (decision.rung == "none" and not decision.fields)
        assert decision.permit or all(cap.plain == cap.shielded == "none" for cap in decision.caps)
        assert all(cap.shielded in {"none", "contact", "category"} for cap in decision.caps)
