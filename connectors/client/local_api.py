"""The local HTTP API of a partner's own software: one route per act, each with a token.

Rules: nobody without a token; strict JSON in, typed results out; a refusal is a result (200), only
what could not be done is a problem. The listener is loopback unless the settings say otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.client import requests, results
from connectors.client.applications import Applications
from connectors.client.local_acts import ACTS, Act
from connectors.client.service import ClientService
from connectors.client.staff import build_spelled
from connectors.client.sync import Sync
from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.problems import InputInvalidError
from datwat.protocol.canonical import decode_strict
from datwat.protocol.values import Value

PREFIX = "/local"
INFO = ApiInfo(
    title="datwat connector, local API",
    description="What a partner's own software asks and says, by its own client numbers.",
)
_STATUSES = (401, 403, 404, 409, 429, 502, 504)


class Health(Value):
    """That the process answers."""

    status: Literal["ok"]


class SyncAnswer(Value):
    """The newest run of a sync, if there ever was one."""

    run: results.SyncState | None


def build_local_app(
    service: ClientService, sync: Sync, applications: Applications, limits: Limits
) -> ASGIApp:
    """Return the app of the local listener, under `/local`."""
    operations = [*build_operations(service, sync, applications)]
    app = build_app(INFO, operations, limits=limits, listener="local", is_traced=True)
    return StripPrefix(app)


def build_operations(
    service: ClientService, sync: Sync, applications: Applications
) -> Sequence[Operation]:
    """Return one operation per act, and those around them."""

    async def start_sync(http: HttpRequest) -> Response:
        request = await _read(http, requests.Sync, applications)
        run = sync.start(request.professional, allow_ending=request.allow_ending)
        return build_json_response(SyncAnswer(run=run))

    async def find_sync(http: HttpRequest) -> Response:
        applications.require_token(http.headers.get("authorization", ""))
        return build_json_response(SyncAnswer(run=sync.find_state()))

    async def list_purposes(http: HttpRequest) -> Response:
        applications.require_token(http.headers.get("authorization", ""))
        return build_json_response(await service.list_purposes())

    async def list_contacts(http: HttpRequest) -> Response:
        applications.require_token(http.headers.get("authorization", ""))
        return build_json_response(service.list_contacts())

    async def health(_http: HttpRequest) -> Response:
        return build_json_response(Health(status="ok"))

    return (
        *(_build_operation(act, getattr(service, act.method), applications) for act in ACTS),
        _get(
            "/v1/purposes",
            "listPurposes",
            "The purposes in force.",
            list_purposes,
            results.PurposeList,
        ),
        _get(
            "/v1/contacts",
            "listContacts",
            "The contact requests that wait for an answer.",
            list_contacts,
            results.ContactList,
        ),
        Operation(
            path="/v1/syncs",
            operation_id="startSync",
            summary="Bring the broker's pointers in line with the source, in the background.",
            endpoint=start_sync,
            answer=SyncAnswer,
            request=requests.Sync,
            tag="acts",
            statuses=_STATUSES,
        ),
        _get("/v1/syncs", "findSync", "The newest run of a sync.", find_sync, SyncAnswer),
        _get("/v1/health", "getHealth", "Tell that the process answers.", health, Health),
    )


def _get(
    path: str,
    operation_id: str,
    summary: str,
    endpoint: Callable[[HttpRequest], Awaitable[Response]],
    answer: type[BaseModel],
) -> Operation:
    return Operation(
        path=path,
        operation_id=operation_id,
        summary=summary,
        endpoint=endpoint,
        answer=answer,
        method="GET",
        tag="state",
        statuses=(401,),
    )


def _build_operation(
    act: Act, method: Callable[[Any], Awaitable[BaseModel]], applications: Applications
) -> Operation:
    async def answer(http: HttpRequest) -> Response:
        return build_json_response(await method(await _read(http, act.takes, applications)))

    first, *rest = act.method.split("_")
    return Operation(
        path=f"/v1/{act.route}",
        operation_id=first + "".join(word.capitalize() for word in rest),
        summary=act.summary,
        endpoint=answer,
        answer=act.gives,
        request=act.takes,
        tag="acts",
        statuses=_STATUSES,
    )


async def _read(http: HttpRequest, kind: type[Any], applications: Applications) -> Any:  # noqa: ANN401
    """Return the request in strict JSON, after the token; raise InputInvalidError, StaffIdError."""
    applications.require_token(http.headers.get("authorization", ""))
    body = build_spelled(decode_strict(await http.body()))
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None


class StripPrefix:
    """Takes `/local` off the path: the app inside is the same as every party's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on without the prefix; one without it is passed on as it is."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX + "/"):
            path = scope["path"].removeprefix(PREFIX)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
