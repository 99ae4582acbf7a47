"""The rules of a replay: how a question is put, what counts as which difference, what is shown."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.decisions import Decided
from broker.policy.replay import (
    DamagedInputError,
    Kept,
    build_ground,
    is_decided_in_force,
    put_question,
    read_kept,
)
from broker.policy.replay_result import ReplayPlan, derive_trial_state
from broker.policy.replay_tally import Outcome, Tally, build_result
from broker.purposes.errors import PolicyFileError
from tests.policy.opa_world import DECISION
from tests.trial.world import NOW, draft_of, find_purpose, read_cases, read_catalogue

QUESTION = next(one for one in read_cases() if one.name == "who is involved").question
ROW = {"function": "income", "kind": "income_support", "plain": "dat", "shielded": "category"}
PERMIT: dict[str, Any] = {
    **DECISION,
    "findings": [
        {"blade": "purpose", "code": "known_purpose", "satisfied": True, "about": "stated",
         "params": {}},
    ],
    "fields": ["begin"],
    "caps": [ROW],
    "obligations": [{"code": "delete_after", "params": {}}],
}  # fmt: skip
REFUSAL = {**PERMIT, "permit": False, "rung": "none", "fields": [], "caps": [], "obligations": []}


def keep(decision: dict[str, Any], **changes: Any) -> Kept:  # noqa: ANN401 - members
    found = read_kept(Decided({**QUESTION, **changes}, decision, "r1").document)
    assert found is not None
    return found


def outcome(
    before: dict[str, Any] | None, after: dict[str, Any] | None, *, is_waiting: bool = False
) -> Outcome:
    kept = keep(before or PERMIT)
    return Outcome(kept, before, after, is_waiting=is_waiting, is_drifted=False, is_mapped=False)


@pytest.mark.parametrize(
    ("before", "after", "effect", "gained", "lost"),
    [
        (PERMIT, PERMIT, None, (), ()),
        (None, None, None, (), ()),
        (REFUSAL, PERMIT, "newly_allowed",
         ("field:begin", "kind:income/income_support", "obligation:delete_after"), ()),
        (None, PERMIT, "newly_allowed",
         ("field:begin", "kind:income/income_support", "obligation:delete_after"), ()),
        (PERMIT, REFUSAL, "newly_refused", (),
         ("field:begin", "kind:income/income_support", "obligation:delete_after")),
        (PERMIT, None, "newly_refused", (),
         ("field:begin", "kind:income/income_support", "obligation:delete_after")),
        (PERMIT, {**PERMIT, "rung": "wat", "fields": ["begin", "eind"]}, "rung",
         ("field:eind",), ()),
        (PERMIT, {**PERMIT, "fields": ["eind"]}, "fields", ("field:eind",), ("field:begin",)),
        (PERMIT, {**PERMIT, "caps": [{**ROW, "plain": "contact"}]}, "kinds", (),
         ("kind:income/income_support",)),
        (PERMIT, {**PERMIT, "obligations": []}, "obligations", (), ("obligation:delete_after",)),
        (PERMIT, {**PERMIT, "retention_days": 1}, "other", (), ()),
        (REFUSAL, {**REFUSAL, "remedies": ["talk_first"]}, "other", (), ()),
        (REFUSAL, None, "other", (), ()),
    ],
)  # fmt: skip
def test_each_difference_has_its_name(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    effect: str | None,
    gained: tuple[str, ...],
    lost: tuple[str, ...],
) -> None:
    found = outcome(before, after)
    assert found.effect == effect
    assert found.list_changes() == (gained, lost)


def test_a_question_names_the_revision_that_stands_in_its_place() -> None:
    kept = keep(PERMIT)
    question, is_mapped = put_question(kept, {"debt_counselling": "b" * 64})
    assert is_mapped
    assert json.loads(question) == {**QUESTION, "purpose_digest": "b" * 64}
    same, is_mapped = put_question(kept, {"debt_counselling": QUESTION["purpose_digest"]})
    assert not is_mapped
    assert json.loads(same) == QUESTION


def test_a_question_that_named_no_known_purpose_is_left_as_it_was() -> None:
    unknown = copy.deepcopy(REFUSAL)
    unknown["findings"][0]["satisfied"] = False
    kept = keep(unknown, purpose_digest="0" * 64)
    question, is_mapped = put_question(kept, {"debt_counselling": "b" * 64})
    assert not is_mapped
    assert json.loads(question)["purpose_digest"] == "0" * 64
    assert is_decided_in_force(kept, "r1", {"debt_counselling": "b" * 64})
    assert not is_decided_in_force(kept, "r2", {"debt_counselling": "b" * 64})


def test_what_another_revision_decided_is_not_taken_for_the_policy_in_force() -> None:
    digest = QUESTION["purpose_digest"]
    assert is_decided_in_force(keep(PERMIT), "r1", {"debt_counselling": digest})
    assert not is_decided_in_force(keep(PERMIT), "r2", {"debt_counselling": digest})
    assert not is_decided_in_force(keep(PERMIT), "r1", {"debt_counselling": "b" * 64})


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no json",
        b"[]",
        b'{"v":2,"evaluation":{}}',
        b'{"v":1,"evaluation":{}}',
        b'{"v":1,"revision":"r","evaluation":{"act":"steal"},"decision":{}}',
        Decided({**QUESTION, "requester": None}, PERMIT, "r").document,
        Decided(QUESTION, {**PERMIT, "permit": "yes"}, "r").document,
    ],
)
def test_what_cannot_be_read_is_damaged(document: bytes) -> None:
    with pytest.raises(DamagedInputError):
        read_kept(document)


def test_an_entry_that_decided_nothing_is_none() -> None:
    mark = {"v": 1, "occasion": None, "situation": None, "audience": "own"}
    assert read_kept(orjson.dumps(mark)) is None


def plan() -> ReplayPlan:
    return ReplayPlan(
        purpose="debt_counselling",
        digest="d" * 64,
        draft=find_purpose("debt_counselling"),
        base_seq=1,
        base_revision="r1",
        from_index=0,
        to_index=100,
        planned_at=NOW,
    )


def show(tally: Tally, state: str = "done") -> Any:  # noqa: ANN401 - a model
    times = {"started_at": NOW, "ended_at": NOW, "signed_off_at": None}
    return build_result(7, plan(), tally, state=state, at_index=100, **times)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 0), (9, 0), (10, 10), (19, 10), (27, 20)])
def test_what_waits_shows_in_tens_and_never_below(count: int, shown: int) -> None:
    tally = Tally()
    for _ in range(count):
        tally.add(outcome(REFUSAL, PERMIT, is_waiting=True))
    result = show(tally)
    assert (result.weighed, result.newly_allowed, result.rows, result.examples) == (0, 0, (), ())
    assert result.waiting.is_few == (count < 10)
    assert result.waiting.at_least == result.waiting.newly_allowed_at_least == shown
    assert result.needs_sign_off == (count >= 10)
    assert show(tally, "running").waiting is None


def test_below_ten_what_waits_leaves_no_trace_in_what_is_shown() -> None:
    seen, unseen = Tally(), Tally(other=9)  # as many that decided nothing
    for _ in range(9):
        seen.add(outcome(REFUSAL, PERMIT, is_waiting=True))
    assert show(seen) == show(unseen)


def test_newly_allowed_asks_for_a_sign_off() -> None:
    tally = Tally()
    tally.add(outcome(PERMIT, REFUSAL))
    assert derive_trial_state(show(tally)) == "clean"
    tally.add(outcome(REFUSAL, PERMIT))
    result = show(tally)
    assert derive_trial_state(result) == "newly_allowed"
    assert derive_trial_state(result.model_copy(update={"signed_off_at": NOW})) == "signed_off"
    assert derive_trial_state(result.model_copy(update={"state": "stopped"})) == "none"
    assert derive_trial_state(None) == "none"


def test_no_example_names_anybody() -> None:
    tally = Tally()
    marks = {"professional": {"id": "p-MARK", "role": "r-MARK"}, "now": "2026-03-02T09:59:59Z"}
    kept = keep(REFUSAL, **marks)
    found = Outcome(kept, REFUSAL, PERMIT, is_waiting=False, is_drifted=False, is_mapped=True)
    for _ in range(100):
        tally.add(found)
    text = show(tally).model_dump_json()
    for mark in ("MARK", "2026-03-02", "handlers", '"noor"', '"sam"'):
        assert mark not in text
    assert len(show(tally).examples) == 1
    assert show(tally).rows[0].count == 100
    assert show(tally).rows[0].gained["field:begin"] == 100


OUTCOMES = st.lists(
    st.builds(
        outcome,
        st.sampled_from([PERMIT, REFUSAL, None]),
        st.sampled_from([PERMIT, REFUSAL, None, {**PERMIT, "fields": ["eind"]}]),
        is_waiting=st.booleans(),
    ),
    max_size=40,
)


@given(OUTCOMES, st.integers(min_value=0, max_value=40))
def test_a_count_that_was_put_down_goes_on_as_if_it_was_not(found: list[Outcome], at: int) -> None:
    whole, first = Tally(), Tally()
    for one in found:
        whole.add(one)
    for one in found[:at]:
        first.add(one)
    second = Tally.model_validate_json(first.model_dump_json())
    for one in found[at:]:
        second.add(one)
    assert second == whole
    parts = whole.same + whole.newly_allowed + whole.newly_refused + whole.changed
    assert whole.weighed == parts
    assert sum(row.count for row in whole.list_rows()) == whole.weighed - whole.same


def test_a_draft_stands_in_the_place_of_its_purpose_whenever_it_begins() -> None:
    draft = draft_of("debt_counselling", retention_days=10, valid_from=NOW + timedelta(days=90))
    ground = build_ground(read_catalogue(), NOW, draft=draft)
    (was,) = ground.base["purposes"]["debt_counselling"]["revisions"]
    (made,) = ground.draft["purposes"]["debt_counselling"]["revisions"]
    assert made["digest"] == was["digest"] == ground.digests["debt_counselling"]
    assert made["valid_from"] == was["valid_from"]
    assert (made["retention_days"], made["until_at"]) == (10, None)
    others = {name for name in ground.base["purposes"] if name != "debt_counselling"}
    assert all(ground.base["purposes"][one] == ground.draft["purposes"][one] for one in others)


def test_the_purpose_in_force_as_its_own_draft_changes_nothing() -> None:
    ground = build_ground(read_catalogue(), NOW, draft=find_purpose("debt_counselling"))
    assert ground.base == ground.draft


def test_a_revision_that_is_ahead_is_not_what_is_in_force() -> None:
    ahead = read_catalogue().with_revision(draft_of("debt_counselling", retention_days=9), now=NOW)
    ground = build_ground(ahead, NOW, without="income_support")
    assert ground.base["purposes"]["debt_counselling"]["revisions"][0]["retention_days"] == 730
    assert "income_support" not in ground.draft["purposes"]
    assert "income_support" in ground.base["purposes"]
    later = build_ground(ahead, NOW + timedelta(days=2))
    (revision,) = later.base["purposes"]["debt_counselling"]["revisions"]
    assert revision["retention_days"] == 9
    assert (
        revision["valid_from"]
        == ground.base["purposes"]["debt_counselling"]["revisions"][0]["valid_from"]
    )


def test_a_draft_that_does_not_fit_is_refused_with_its_place() -> None:
    with pytest.raises(PolicyFileError) as refused:
        build_ground(read_catalogue(), NOW, draft=draft_of("debt_counselling", sees={"x": "dat"}))
    assert "sees" in (refused.value.place or "")
