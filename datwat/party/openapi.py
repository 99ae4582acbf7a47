"""The OpenAPI document of a party, built from its declared operations.

The hot routes are plain Starlette routes, which FastAPI does not describe; so every party declares
its operations once, and both the routes and the document come from that. Follows the API Design
Rules 2.1: servers with `/v1`, contact, 400 and no 422, problems for errors, `API-Version` declared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from datwat.party.gate import OPENAPI_PATH
from datwat.party.problems import MEDIA_TYPE, Problem
from datwat.protocol.messages import MessageObject
from datwat.protocol.signing import SignedMessage

_PREFIX = "/v1"
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_REF = "#/components/schemas/{model}"
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
    request comes as a form and not as JSON, as OAuth has it.
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


def build_openapi(info: ApiInfo, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these operations and of the document's own address."""
    models: set[type[BaseModel]] = {Problem}
    for operation in operations:
        models |= {*operation.message, *([operation.answer] if operation.answer else [])}
        models |= {SignedMessage} if operation.message else set()
        models |= {operation.request} if operation.request else set()
    ordered = sorted(models, key=lambda model: model.__name__)
    refs, schemas = models_json_schema(
        [(model, "serialization") for model in ordered], ref_template=_REF
    )
    names = {model: refs[model, "serialization"] for model in ordered}
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
        "components": {"schemas": schemas["$defs"]},
    }


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
    if operation.message:
        objects = ", ".join(kind.__name__ for kind in operation.message)
        described["description"] += f" The signed object of the message is: {objects}."
        described["requestBody"] = _build_body(names[SignedMessage])
    elif operation.request:
        kind = _FORM if operation.takes_form else _JSON
        described["requestBody"] = _build_body(names[operation.request], kind)
    return described


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
