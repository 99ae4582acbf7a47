"""The schemas in the docs: as the models are, as the files are, and said member by member."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from broker.policy.evaluation import Evaluation
from broker.purposes.errors import PolicyFileError
from broker.purposes.phrases_form import HELP
from broker.purposes.schema import (
    MODELS,
    build_case_schema,
    build_purpose_schema,
    find_help,
    list_members,
)
from datwat.party.strict_yaml import read_yaml
from tests.purposes.conftest import POLICIES

REFERENCE = POLICIES.parent / "docs" / "reference"
PURPOSES = sorted((POLICIES / "purposes").glob("*.yaml"))
CASES = [path for path in sorted((POLICIES / "cases").glob("*.yaml")) if path.stem != "bases"]


def read(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((REFERENCE / f"{name}.schema.json").read_text("utf-8"))


def test_the_docs_hold_what_the_models_say() -> None:
    again = "write it again: python scripts/list_schemas.py"
    assert read("purpose") == build_purpose_schema(), again
    assert read("cases") == build_case_schema(Evaluation.model_json_schema()), again


def test_the_files_of_the_project_fit() -> None:
    for name, paths in (("purpose", PURPOSES), ("cases", CASES)):
        schema = read(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for path in paths:
            validator.validate(read_yaml(path, PolicyFileError))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("objection",), "maybe"),
        (("colour",), "red"),
        (("not_for",), ["enforcement", "enforcement"]),
        (("requesters", 0, "inquire"), "wat"),
        (("edges", 0, "fields", 0, "field"), "*"),
        (("edges", 0, "log"), "off"),
        (("valid_from",), "2026-01-01"),
        (("retention_days",), 0),
        (("articles",), []),
        (("sees", "debt_counselling"), "all"),
    ],
)
def test_what_is_wrong_does_not_fit(place: tuple[str | int, ...], value: object) -> None:
    validator = jsonschema.Draft202012Validator(read("purpose"))
    purpose = read_yaml(POLICIES / "purposes" / "debt_counselling.yaml", PolicyFileError)
    validator.validate(purpose)
    changed = copy.deepcopy(purpose)
    holder = changed
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    assert not validator.is_valid(changed)


@pytest.mark.parametrize(
    "case",
    [
        {"name": "x", "base": "inquire", "expect": {"permit": True, "rungs": "dat"}},
        {"name": "x", "base": "inquire", "expect": {}},
        {
            "name": "x",
            "base": "inquire",
            "given": {"ask": {"rung": "all"}},
            "expect": {"permit": True},
        },
        {
            "name": "x",
            "base": "inquire",
            "given": {"member": {"agE": 3}},
            "expect": {"permit": True},
        },
        {"base": "inquire", "expect": {"permit": True}},
    ],
)
def test_a_case_that_is_wrong_does_not_fit(case: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(read("cases"))
    good = {"name": "x", "base": "inquire", "expect": {"permit": True}}
    validator.validate({"purpose": "debt_counselling", "cases": [good]})
    assert not validator.is_valid({"purpose": "debt_counselling", "cases": [case]})


def test_without_a_question_a_case_may_change_anything() -> None:
    validator = jsonschema.Draft202012Validator(build_case_schema())
    case = {"name": "x", "base": "b", "given": {"any": 1}, "expect": {"permit": True}}
    validator.validate({"purpose": None, "cases": [case]})


@pytest.mark.parametrize("model", MODELS)
def test_every_member_says_what_it_is_for(model: type[BaseModel]) -> None:
    for member in list_members(model):
        for language in ("nl", "en"):
            assert find_help(model.__name__, member, language), f"{model.__name__}.{member}"


def test_nothing_is_said_of_what_is_not_there() -> None:
    members = {f"{model.__name__}.{name}" for model in MODELS for name in list_members(model)}
    assert set(HELP) == members
    assert find_help("Purpose", "colour", "nl") == ""
    properties = build_purpose_schema()["properties"]
    assert properties["valid_from"]["description"] == find_help("Purpose", "valid_from", "en")
