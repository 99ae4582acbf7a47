"""The JSON Schema of a purpose and of its cases, from the models: for form, docs and editors. Pure.

Rule enforced: the schema is generated, never written; each member says what it is for, in the words
that the form shows too. JSON Schema 2020-12; `scripts/list_schemas.py` writes both into the docs.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from pydantic import BaseModel

from broker.purposes.cases import CaseFile, CaseText, Expectation
from broker.purposes.models import (
    Article,
    Edge,
    EdgeField,
    Purpose,
    PurposeRequester,
    Wording,
)
from broker.purposes.phrases_form import HELP
from datwat.protocol.catalogue import Language
from datwat.protocol.messages import LegalBasis

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MODELS: Final[tuple[type[BaseModel], ...]] = (
    Purpose,
    Article,
    LegalBasis,
    PurposeRequester,
    Edge,
    EdgeField,
    Wording,
    CaseFile,
    CaseText,
    Expectation,
)


def build_purpose_schema() -> dict[str, Any]:
    """Return the schema of one purpose, as a file of policies/purposes holds it."""
    schema = Purpose.model_json_schema()
    schema["properties"]["not_for"]["uniqueItems"] = True
    return _finish(schema, "Purpose", "A purpose, as an officer writes it")


def build_case_schema(question: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of a file of policies/cases.

    `question`: the schema of a whole question, of which a case changes some members; without it
    `given` and `common` are any object.
    """
    schema = CaseFile.model_json_schema()
    if question is not None:
        partial = _make_partial(question)
        schema["$defs"] |= partial.pop("$defs")
        schema["$defs"]["Question"] = partial
        for member in (schema["properties"]["common"], _properties(schema, "CaseText")["given"]):
            member.pop("type")
            member.pop("additionalProperties")
            member["$ref"] = "#/$defs/Question"
    return _finish(schema, "CaseFile", "Cases of a purpose, as an officer writes them")


def find_help(model: str, member: str, language: Language) -> str:
    """Return what a member is for; the empty text where nothing is said of it."""
    phrase = HELP.get(f"{model}.{member}")
    return phrase[language == "en"] if phrase else ""


def list_members(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the members of a model in the order in which they are written."""
    return tuple(model.model_fields)


def _finish(schema: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    """Return the schema with what each member is for, and without the titles that say nothing."""
    for model in MODELS:
        found = schema if model.__name__ == name else schema["$defs"].get(model.__name__)
        for member, part in (found or {}).get("properties", {}).items():
            part.pop("title", None)
            if text := find_help(model.__name__, member, "en"):
                part["description"] = text
    return {"$schema": DIALECT, **schema, "title": title}


def _properties(schema: dict[str, Any], name: str) -> dict[str, Any]:
    properties: dict[str, Any] = schema["$defs"][name]["properties"]
    return properties


def _make_partial(question: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which every object may leave out every member."""
    partial = copy.deepcopy(question)
    for model in (partial, *partial["$defs"].values()):
        model.pop("required", None)
        model.pop("title", None)
    return partial
