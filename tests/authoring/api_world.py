"""Officers' programs on other machines: the officers' API of a real broker, by named tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from broker.api.officers import OfficersApi
from broker.api.officers_table import OFFICER_ROUTES, PREFIX
from broker.api.table import INFO
from broker.app import build_commands
from broker.commands.roles_commands import build_find_holder
from broker.purposes.role_register import TokenAsked
from broker.purposes.roles import RoleName
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from tests.authoring.world import RIJNSTAD, Office

ROUTES = {route.path: route for route in OFFICER_ROUTES}
OFTEN = 1_000_000


def build_api(office: Office, *, burst: int = OFTEN) -> OfficersApi:
    """Return the API as `serve` makes it, for whom nothing comes too fast."""
    commands = build_commands(office.broker, lambda: None)
    find_holder, clock = build_find_holder(office.broker), office.broker.rooms.clock
    return OfficersApi(commands, find_holder, clock, per_second=float(burst), burst=burst)


def stop_clock(api: OfficersApi) -> OfficersApi:
    """Let no time pass for what counts requests: on a slow machine a second is not many of them."""
    moment = api._clock()  # noqa: SLF001 - no shipped process has a clock to set
    api._clock = lambda: moment  # noqa: SLF001 - as above
    return api


def serve(api: OfficersApi) -> FastAPI:
    return build_app(INFO, tuple(api.build_operations()), limits=Limits())


async def make_token(office: Office, staff: str, role: RoleName, name: str = "") -> str:
    """Return a fresh named token of somebody who holds the role."""
    called = name or f"{role}_{staff}".replace(".", "_")
    asked = TokenAsked(name=called, organisation=RIJNSTAD, role=role, staff=staff)
    return await office.broker.role_register.create_token(asked)


def shape(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return which members there are, without what they say."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(member) for member in value] if isinstance(value, list) else None


@dataclass
class Program:
    """A program that has one token, or none; each answer is held against the OpenAPI document."""

    app: FastAPI
    token: str | None = field(default=None, repr=False)
    asked: set[str] = field(default_factory=set)

    async def send(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Send bytes as they are."""
        transport = httpx.ASGITransport(self.app)
        given = {"Content-Type": "application/json", **headers}
        if self.token is not None:
            given = {"Authorization": f"Bearer {self.token}", **given}
        async with httpx.AsyncClient(transport=transport, base_url="http://broker") as client:
            return await client.post(PREFIX + path, content=body, headers=given)

    async def ask(self, path: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return what is answered, once it has the form that the document says."""
        answer = await self.send(path, orjson.dumps(members))
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        model = ROUTES[path].answer
        kept = model.model_validate_json(answer.content).model_dump(mode="json")
        assert shape(kept) == shape(found)
        Draft202012Validator(model.model_json_schema(mode="serialization")).validate(found)
        self.asked.add(path)
        return found

    async def refuse(self, path: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return the problem with which something is refused."""
        answer = await self.send(path, orjson.dumps(members))
        return read_problem(answer)


def read_problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code >= httpx.codes.BAD_REQUEST, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    return found
