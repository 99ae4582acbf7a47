"""Signed messages in: one way to read them, one way to answer, one way to build a party's app.

Rules: nobody outside the trust list is heard; a signature counts for its issuer only, for one type,
one audience and one time; the checks run in one fixed order and each refusal has its own code. The
OpenAPI document follows the API Design Rules (2.1): 400 and never 422, `API-Version` declared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, get_args

import orjson
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from datwat.party.gate import OPENAPI_PATH, Door, Gate, Limits
from datwat.party.measured import name_operation
from datwat.party.openapi import ApiInfo, Operation, build_openapi
from datwat.party.problems import InputInvalidError, add_problem_handlers
from datwat.party.trust_list import Directory, Issuer
from datwat.protocol.errors import DatwatError
from datwat.protocol.freshness import RESUME_AGE
from datwat.protocol.freshness import require_fresh as require_recent
from datwat.protocol.messages import MessageObject
from datwat.protocol.signing import (
    MessageAheadError,
    MessageExpiredError,
    MessageTypeError,
    SignedMessage,
    open_message,
    require_envelope,
)

ObjectT = TypeVar("ObjectT", bound=MessageObject)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Admitted(Generic[ObjectT]):
    """A message whose form, signature, issuer, audience and type hold.

    Its time allows a repeated message (ten minutes). One that was not answered before must be
    `require_fresh` too, before anything is done.
    """

    object: ObjectT
    issuer: Issuer
    request_hash: bytes
    message: SignedMessage = field(repr=False)

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The parts, salt included, in the object's order."""
        return self.message.parts

    def require_fresh(self, now: datetime) -> None:
        """Raise MessageExpiredError or MessageAheadError unless it may be admitted first now."""
        require_recent(self.object.iat, now, expired=MessageExpiredError, ahead=MessageAheadError)


def read_message(
    body: bytes,
    directory: Directory,
    *kinds: type[ObjectT],
    aud: str,
    now: datetime,
) -> Admitted[ObjectT]:
    """Return the message in `body` if it may be heard; `kinds` are the objects that belong here.

    Steps: 1. the trust list is in force; 2. form, signature by a key of the list, parts; 3. the
    key's owner is in force; 4. type, issuer, audience, id, time; 5. the object's own model.

    Raises:
        TrustListExpiredError, CanonicalError, MessageError, IssuerRefusedError, InputInvalidError.
    """
    directory.require_in_force(now)
    message = SignedMessage.from_bytes(body)
    opened = open_message(message, directory.keys)
    issuer = directory.require_issuer(opened.kid, now)
    kind = _find_kind(opened.object.get("type"), kinds)
    require_envelope(
        opened.object,
        type=str(opened.object["type"]),
        iss=issuer.id,
        aud=aud,
        now=now,
        max_age=RESUME_AGE,
    )
    try:
        found = kind.model_validate_json(opened.object_bytes)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None
    return Admitted(object=found, issuer=issuer, request_hash=opened.request_hash, message=message)


def build_json_response(answer: bytes | BaseModel, status: int = 200) -> Response:
    """Return a JSON answer: bytes as they are (recorded answers), a model by orjson."""
    if isinstance(answer, BaseModel):
        answer = orjson.dumps(answer.model_dump(mode="json"))
    return Response(answer, status, media_type="application/json")


def build_app(
    info: ApiInfo,
    operations: Sequence[Operation],
    *,
    limits: Limits,
    lifespan: Lifespan | None = None,
    on_unknown_key: Callable[[], None] | None = None,
    build_refusal: Callable[[Scope, DatwatError], Response | None] | None = None,
    listener: str = "api",
    is_traced: bool = False,
) -> FastAPI:
    """Return a party's app: `operations` first (in their order, hot ones first), then the rest.

    FastAPI's own documentation pages and telemetry are off. Add pages and other routes to what is
    returned; every route, declared here or there, shares the gate and the problems.
    `on_unknown_key` is called after a message signed by a key that is in no list held here;
    `build_refusal` returns the page for what the gate refuses to people. `listener` is what figures
    call this one; `is_traced`: who sends messages here is known by name (`Gate`).
    """
    app = FastAPI(
        title=info.title,
        version=info.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for operation in operations:
        app.router.routes.append(
            Route(operation.path, operation.endpoint, methods=[operation.method])
        )
    document = orjson.dumps(build_openapi(info, operations))

    async def openapi(_request: Request) -> Response:
        return build_json_response(document)

    app.router.routes.append(Route(OPENAPI_PATH, openapi, methods=["GET"]))
    add_problem_handlers(app)
    named = {
        (one.method, one.path): name_operation(one.path, one.operation_id) for one in operations
    }
    forms = frozenset(operation.path for operation in operations if operation.takes_form)
    app.add_middleware(
        Gate,
        version=info.version,
        limits=limits,
        door=Door(listener, {**named, ("GET", OPENAPI_PATH): "getOpenapi"}, is_traced),
        on_unknown_key=on_unknown_key,
        build_refusal=build_refusal,
        forms=forms,
    )
    return app


def _find_kind(name: object, kinds: Sequence[type[ObjectT]]) -> type[ObjectT]:
    """Return the model among `kinds` that is for objects of this type."""
    for kind in kinds:
        if isinstance(name, str) and name in get_args(kind.model_fields["type"].annotation):
            return kind
    raise MessageTypeError(place="type")
