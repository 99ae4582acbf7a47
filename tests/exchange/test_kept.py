"""What is kept although somebody asks to destroy it, and which quarters a chain runs through."""

from __future__ import annotations

import os
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.audit.payloads import Asked, Event, Organisation, Record, Said
from broker.exchange.erasure import list_quarters
from broker.exchange.kept import find_keeping
from datwat.protocol.messages import LegalBasis
from tests.exchange.world import now

_BASIS = {"giver_article": "Wet A 1", "taker_article": "Wet B 2"}
_QUESTIONS = ("inquire", "release", "request_contact", "outcome", "weighed")
_ERASABLE = (
    *_QUESTIONS, "register", "end", "expired", "open_occasion", "hand_over", "close_occasion",
    "record_conversation", "introduce", "answer_contact", "report_wrong_person",
)  # fmt: skip
_PURPOSES: dict[str, dict[str, Any]] = {
    "may": {"objection": "suspend", "basis": {**_BASIS, "mode": "may"}},
    "task": {"objection": "none", "basis": {**_BASIS, "mode": "may"}},
    "duty": {"objection": "suspend", "basis": {**_BASIS, "mode": "duty"}},
}


def find_purpose(name: str, _digest: str | None) -> dict[str, Any] | None:
    return _PURPOSES.get(name)


def build_record(event: str, purpose: str | None = None, mode: str | None = None) -> Record:
    basis = LegalBasis.model_validate({**_BASIS, "mode": mode}) if mode else None
    return Record.model_validate(
        {
            "v": 1,
            "event": event,
            "at": now(),
            "rid": os.urandom(16),
            "requester": Organisation(id="00000099000000003000:broker", name="Broker"),
            "notice": "now",
            "asked": Asked(purpose=purpose),
            "said": Said(permit=True, rung="dat", findings=(), legal_basis=basis, revision="r"),
        }
    )


@pytest.mark.parametrize("event", get_args(Event))
def test_each_event_is_kept_or_may_go(event: str) -> None:
    keeping = find_keeping(build_record(event), find_purpose)
    assert (keeping is None) == (event in _ERASABLE)


@given(
    event=st.sampled_from(_QUESTIONS),
    purpose=st.sampled_from([*_PURPOSES, "gone"]),
    mode=st.sampled_from([None, "duty", "may", "explicit_consent", "no_objection"]),
)
def test_only_what_no_law_obliges_to_keep_may_go(
    event: str, purpose: str, mode: str | None
) -> None:
    keeping = find_keeping(build_record(event, purpose, mode), find_purpose)
    obliged = (mode or _PURPOSES.get(purpose, {}).get("basis", {}).get("mode")) == "duty"
    assert (keeping is None) == (purpose in {"may", "duty"} and not obliged)
    if keeping is not None:
        assert keeping.purpose == purpose
        if purpose != "gone":
            assert keeping.law == "AVG 17(3)(b); Wet A 1; Wet B 2"


@given(st.sampled_from(["2026Q1", "2026Q3", "2025Q4", "2019Q2"]), st.integers(0, 90))
def test_quarters_follow_each_other(first: str, count: int) -> None:
    years, quarter = divmod(int(first[5:]) - 1 + count, 4)
    last = f"{int(first[:4]) + years}Q{quarter + 1}"
    found = list_quarters(first, last)
    assert (found[0], found[-1], len(found)) == (first, last, count + 1)
    assert found == sorted(set(found))
