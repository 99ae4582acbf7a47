"""What a caller reads about bad input: what is wrong and what to do, and never what was sent."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core.core_schema import ErrorType

from broker.commands.special_commands import AuditAsked
from broker.policy.asked import OneAsked
from connectors.client import requests
from datwat.party.faults import UNTOLD, describe_fault, describe_first_fault
from datwat.party.problems import InputInvalidError
from datwat.protocol.acts import PersonPart

ASK: dict[str, Any] = {
    "professional": {"id": "noor", "role": "regisseur"},
    "clients": [{"client": "N-1"}],
    "purpose": "debt_counselling",
}
ROW = {"client": "N-1", "kind": "youth_help", "contact": {"role": "x"}, "since_at": "x"}
AUDIT = {"by": "a", "role": "r", "second_by": "b", "second_role": "r", "reason": "why"}
SECRET = "999990019"


def refusal(kind: type[BaseModel], value: object) -> InputInvalidError:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate_json(json.dumps(value))
    return InputInvalidError.from_validation(caught.value)


def change(place: str, value: object) -> dict[str, Any]:
    """Return a question with another value at a place such as `clients.0.client`."""
    changed = json.loads(json.dumps(ASK))
    *steps, last = place.split(".")
    inside = changed
    for step in steps:
        inside = inside[int(step)] if step.isdigit() else inside[step]
    inside[last] = value
    return dict(changed)


@pytest.mark.parametrize(
    ("place", "value", "told_place", "sentence"),
    [
        ("purpose", 1, "$.purpose", "Text is needed here, between quotes."),
        ("purpose", SECRET, "$.purpose", "Write a name in lower case"),
        ("rung", SECRET, "$.rung", "Choose one of these values: category or dat."),
        ("clients", [], "$.clients", "There are too few items: at least 1 are needed."),
        ("clients", [ASK["clients"][0]] * 33, "$.clients", "at most 32 are accepted."),
        ("clients", {SECRET: 1}, "$.clients", "A list is needed here"),
        ("clients.0.client", "", "$.clients[0].client", "one line that is not empty"),
        ("clients.0.client", "a\nb", "$.clients[0].client", "without control characters"),
        ("clients.0.client", SECRET * 30, "$.clients[0].client", "at most 200 characters"),
        ("clients.0.birth_date", "31-12-1980", "$.clients[0].birth_date", "such as 2026-01-31."),
        ("clients.0.introduction", SECRET, "$.clients[0].introduction", "base64url"),
        ("clients.0.introduction", "AA", "$.clients[0].introduction", "16 bytes are needed"),
        ("clients.0.record", {"bsn": SECRET}, "$.clients[0].record.family_name", "is missing"),
        ("clients.0.record", SECRET, "$.clients[0].record", "An object is needed here"),
        ("clients.0.bsn", SECRET, "$.clients[0]", "A member here is unknown: take it out"),
        ("professional.id", "Noor de Vries", "$.professional.id", "member of staff"),
        ("occasion", 12, "$.occasion", "Text is needed here"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    place: str, value: object, told_place: str, sentence: str
) -> None:
    error = refusal(requests.Ask, change(place, value))
    assert sentence in error.detail
    assert error.place == told_place
    assert SECRET not in error.detail


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        ("2026-01-31T12:00:00", "in UTC, in whole seconds, as 2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+01:00", "in UTC"),
        ("2026-13-31T12:00:00Z", "There is no such moment"),
        (1, "in UTC, as text"),
    ],
)
def test_a_bad_moment_says_how_one_is_written(moment: object, sentence: str) -> None:
    body = {"professional": ASK["professional"], "rows": [{**ROW, "since_at": moment}]}
    error = refusal(requests.Register, body)
    assert sentence in error.detail
    assert error.place == "$.rows[0].since_at"


@pytest.mark.parametrize("quarter", ["2026Q9", "Q4", "2026-Q4", SECRET])
def test_a_bad_quarter_says_how_one_is_written(quarter: str) -> None:
    error = refusal(AuditAsked, {**AUDIT, "quarters": ["2026Q4", quarter]})
    assert "such as 2026Q4." in error.detail
    assert error.place == "$.quarters[1]"
    assert "^" not in error.detail
    assert quarter == "Q4" or quarter not in error.detail


def test_other_kinds_of_fault() -> None:
    who = ASK["professional"]
    needs = {"contact": "1", "state": "seen", "professional": who}
    assert "A whole number" in refusal(requests.AnswerContact, needs).detail
    few = refusal(requests.AnswerContact, {**needs, "contact": 0}).detail
    assert few == "The number must be 1 or more."
    flag = refusal(requests.Sync, {"professional": who, "allow_ending": "yes"}).detail
    assert flag.startswith("true or false is needed")
    neither = refusal(
        requests.RedeemIntroduction, {"professional": who, "code": "A" * 22, "client": "1"}
    )
    assert "either `registers` or `occasion`" in neither.detail
    tag = refusal(PersonPart, {"person": {"by": SECRET}}).detail
    assert tag == "The member by must be one of: ticket, handle, introduction."
    assert "The member by is missing" in refusal(PersonPart, {"person": {}}).detail


class Careless(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str = ""

    @field_validator("name")
    @classmethod
    def _echo(cls, value: str) -> str:
        raise ValueError(value)


@given(st.text(min_size=1))
def test_a_validator_that_repeats_the_value_is_not_told(value: str) -> None:
    assert refusal(Careless, {"name": value}).detail == UNTOLD


def test_no_sentence_names_a_kind_of_pydantic() -> None:
    kinds = [kind for kind in get_args(ErrorType) if "_" in kind]
    assert len(kinds) > 50
    for kind in kinds:
        told = describe_fault({"type": kind, "ctx": {}, "input": SECRET})
        assert kind not in told
        assert told.endswith(".")
        assert SECRET not in told


def test_the_place_comes_with_the_sentence() -> None:
    with pytest.raises(ValidationError) as caught:
        requests.Ask.model_validate_json("{}")
    sentence, place = describe_first_fault(caught.value)
    assert (sentence, place) == ("This member is missing: add it.", ("professional",))


def test_an_id_that_is_cut_off_is_asked_for_whole() -> None:
    with pytest.raises(ValidationError) as caught:
        OneAsked.model_validate({"id": "6f1c"})
    sentence, _ = describe_first_fault(caught.value)
    assert sentence.startswith("Write the whole id, as the list shows it")
    assert "6f1c" not in sentence
