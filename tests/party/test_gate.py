"""The gate and the app around routes of a test: limits, faults, and the document."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from fastapi import Body
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.openapi import ApiInfo, Operation
from tests.party.web import serving

SECRET = "999990019"


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    bsn: int


class Size(BaseModel):
    size: int


async def measure(request: Request) -> Response:
    return build_json_response(Size(size=len(await request.body())))


async def fail(_request: Request) -> Response:
    raise RuntimeError(SECRET)


async def pour(_request: Request) -> Response:
    return Response(b"x" * 16_000_000)


async def wait(_request: Request) -> Response:
    await asyncio.sleep(1)
    return build_json_response(b"{}")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    operations = [
        Operation(path, name, "A test.", endpoint, Size, request=Row)
        for path, name, endpoint in (
            ("/v1/sizes", "measure", measure),
            ("/v1/faults", "fail", fail),
            ("/v1/waits", "wait", wait),
        )
    ]
    patience = timedelta(seconds=0.5)
    limits = Limits(1_000, read_timeout=patience, max_requests=3, write_timeout=patience)
    app = build_app(ApiInfo(title="Test", description="Test."), operations, limits=limits)

    @app.post("/v1/rows")
    async def rows(row: Annotated[Row, Body()]) -> Row:
        return row

    app.add_route("/pours", pour)

    @app.post("/forms")
    async def forms() -> Response:
        return Response("<p>", media_type="text/html", headers={"Cache-Control": "private"})

    with serving(app) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as made:
        yield made


def test_exactly_the_limit_is_taken(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    fits = client.post("/v1/sizes", content=b"x" * 1_000, headers=headers)
    assert fits.json() == {"size": 1_000}
    assert client.post("/v1/sizes", content=b"x" * 1_001, headers=headers).status_code == 413


def test_a_fault_tells_nothing(client: httpx.Client) -> None:
    answer = client.post("/v1/faults", json={})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert SECRET not in answer.text
    assert answer.headers["api-version"] == "1.0.0"


@pytest.mark.parametrize(
    "body", [f'{{"bsn": "{SECRET}x"}}', f'{{"{SECRET}": 1}}', f'"{SECRET}', f"[{SECRET}]", "NaN"]
)
def test_fastapis_own_refusal_is_400_and_does_not_echo(client: httpx.Client, body: str) -> None:
    answer = client.post("/v1/rows", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "input_invalid")
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text


def test_pages_take_forms_and_keep_their_own_headers(client: httpx.Client) -> None:
    answer = client.post("/forms", data={"a": "b"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["x-frame-options"] == "DENY"


def exchange(url: str, *parts: bytes) -> bytes:
    """Send raw bytes and return everything until the server closes or is silent."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while data := connection.recv(65_536):
            received += data
        return received


_HEAD = b"POST /v1/sizes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_body_that_does_not_come_is_not_waited_for(url: str) -> None:
    answer = exchange(url, _HEAD + b"Content-Length: 10\r\n\r\n", b"123")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in answer


def test_a_lie_about_the_length_does_not_get_through(url: str) -> None:
    chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
    answer = exchange(url, _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    huge = exchange(url, _HEAD + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n")
    assert huge.startswith(b"HTTP/1.1 413")


def test_only_so_many_at_once(url: str) -> None:
    def post(_: int) -> int:
        return httpx.post(url + "/v1/waits", json={}, trust_env=False).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(post, range(6)))
    assert statuses == [200, 200, 200, 503, 503, 503]
    assert post(0) == 200


def test_slow_bodies_take_no_place(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(9):
            connection = socket.create_connection((host, int(port)), timeout=5)
            stack.enter_context(connection).sendall(_HEAD + b"Content-Length: 10\r\n\r\n1")
        time.sleep(0.1)
        assert httpx.post(url + "/v1/sizes", json={}, trust_env=False).json() == {"size": 2}


def test_who_takes_no_answer_takes_no_place(url: str) -> None:
    """The second answer waits for the first one to be taken, which it never is: then it is torn."""
    host, port = url.removeprefix("http://").split(":")
    get = b"GET /pours HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        held = []
        for _ in range(9):
            connection = socket.create_connection((host, int(port)), timeout=5)
            held.append(stack.enter_context(connection))
            connection.sendall(2 * get)
        time.sleep(0.2)
        assert httpx.post(url + "/v1/sizes", json={}, trust_env=False).status_code == 200
        time.sleep(1)
        taken = 0
        while part := held[0].recv(1_000_000):
            taken += len(part)
        assert 16_000_000 < taken < 17_000_000, "the second answer had no deadline"


def test_the_document_is_there_for_everyone(client: httpx.Client) -> None:
    answer = client.get("/v1/openapi.json")
    assert answer.headers["access-control-allow-origin"] == "*"
    document = answer.json()
    assert document["info"]["contact"].keys() == {"name", "url", "email"}
    for path in document["paths"].values():
        for operation in path.values():
            assert "422" not in operation["responses"]
            assert "API-Version" in operation["responses"]["200"]["headers"]
