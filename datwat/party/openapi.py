"""The OpenAPI document of a party, built from its declared operations.

The hot routes are plain Starlette routes, which FastAPI does not describe; so every party declares
its operations once, and both the routes and the document come from that. Follows the API Design
Rules 2.1: servers with `/v1`, contact, 400 and no 422, problems for errors, `API-Version` declared.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from datwat.party.gate import OPENAPI_PATH
from datwat.party.problems import MEDIA_TYPE, Problem
from datwat.protocol.messages import MessageObject
from datwat.protocol.signing import SignedMessage

_PREFIX = "/v1"
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_REF = "#/components/schemas/{model}"
_BEARER = "bearer"
_IN_PATH = re.compile(r"\{([a-z_]+)\}")
_VERSION_HEADER = {
    "API-Version": {"description": "Full version of this API", "schema": {"type": "string"}}
}


@dataclass(frozen=True)
class ApiInfo:
    """What the document says of the whole API; `version` is semantic."""

    title: str
    description: str
    version: str = "1.0.0"
    contact_name: str = "datwat"
    contact_url: str = "https://datwat.example/contact"
    contact_email: str = "contact@datwat.example"


@dataclass(frozen=True)
class Operation:
    """One route: what comes in, what goes out, and who answers.

    `message` names the object of a signed message; `request` another JSON body; neither: no body.
    `statuses` are the errors beside 400 that are worth naming. Without a model as `answer` the
    answer is bytes of `media_type`, or 204 and nothing where that is None. `takes_form`: the
    request comes as a form and not as JSON, as OAuth has it. `takes_bearer`: a token comes as
    `Authorization: Bearer` (RFC 6750).
    """

    path: str
    operation_id: str
    summary: str
    endpoint: Callable[[Request], Awaitable[Response]]
    answer: type[BaseModel] | None
    message: tuple[type[MessageObject], ...] = ()
    request: type[BaseModel] | None = None
    method: str = "POST"
    tag: str = "datwat"
    statuses: tuple[int, ...] = (403, 409, 429)
    media_type: str | None = None
    takes_form: bool = False
    takes_bearer: bool = False


def build_openapi(info: ApiInfo, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these operations and of the document's own address."""
    names, schemas = _build_schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        path = operation.path.removeprefix(_PREFIX)
        found = paths.setdefault(path, {})
        found[operation.method.lower()] = _build_operation(operation, names)
        if path == operation.path:  # a standard of others says where it is, versions and all
            found["servers"] = [{"url": "/"}]
    paths[OPENAPI_PATH.removeprefix(_PREFIX)] = {"get": _build_own_operation(info)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": info.title,
            "description": info.description,
            "version": info.version,
            "contact": {
                "name": info.contact_name,
                "url": info.contact_url,
                "email": info.contact_email,
            },
        },
        "servers": [{"url": _PREFIX}],
        "tags": [{"name": tag} for tag in sorted({"datwat", *(o.tag for o in operations)})],
        "paths": paths,
        "components": {"schemas": schemas, **_build_security(operations)},
    }


def _build_schemas(
    operations: Sequence[Operation],
) -> tuple[dict[type[BaseModel], Any], dict[str, Any]]:
    """Return how each model is referred to, and the schemas.

    What may be left out of a request is not required of it, though an answer always has it.
    """
    modes: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for operation in operations:
        answers = (*operation.message, *([operation.answer] if operation.answer else []))
        answers += (SignedMessage,) if operation.message else ()
        modes |= dict.fromkeys(answers, "serialization")
    asked = (operation.request for operation in operations if operation.request)
    modes |= dict.fromkeys(asked, "validation")
    ordered = sorted(modes.items(), key=lambda item: item[0].__name__)
    refs, schemas = models_json_schema(ordered, ref_template=_REF)
    return {model: refs[model, mode] for model, mode in ordered}, schemas["$defs"]


def _build_security(operations: Sequence[Operation]) -> dict[str, Any]:
    if not any(operation.takes_bearer for operation in operations):
        return {}
    return {"securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}}}


def _build_operation(operation: Operation, names: dict[type[BaseModel], Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.summary,
        "tags": [operation.tag],
        "responses": {
            **_build_answer(operation, names),
            **{
                str(status): _build_error(names[Problem])
                for status in (400, *operation.statuses, 500)
            },
        },
    }
    names_in_path = _IN_PATH.findall(operation.path)
    if names_in_path:
        described["parameters"] = [_build_parameter(name) for name in names_in_path]
    if operation.takes_bearer:
        described["security"] = [{_BEARER: []}]
    if operation.message:
        objects = ", ".join(kind.__name__ for kind in operation.message)
        described["description"] += f" The signed object of the message is: {objects}."
        described["requestBody"] = _build_body(names[SignedMessage])
    elif operation.request:
        kind = _FORM if operation.takes_form else _JSON
        described["requestBody"] = _build_body(names[operation.request], kind)
    return described


def _build_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _build_answer(operation: Operation, names: dict[type[BaseModel], Any]) -> dict[str, Any]:
    if operation.answer is not None:
        return {"200": _build_success(names[operation.answer])}
    if operation.media_type is None:
        return {"204": {"description": "Done", "headers": _VERSION_HEADER}}
    content = {operation.media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"200": {"description": "Done", "headers": _VERSION_HEADER, "content": content}}


def _build_own_operation(info: ApiInfo) -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "This document",
        "description": f"The OpenAPI document of {info.title}.",
        "tags": ["datwat"],
        "responses": {"200": _build_success({"type": "object"})},
    }


def _build_body(schema: dict[str, Any], kind: str = _JSON) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema}}}


def _build_success(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": "Done",
        "headers": _VERSION_HEADER,
        "content": {"application/json": {"schema": schema}},
    }


def _build_error(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Refused", "content": {MEDIA_TYPE: {"schema": schema}}}
