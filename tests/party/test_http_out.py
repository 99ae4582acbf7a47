"""The client against a server that does everything wrong."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from datwat.party.http_out import (
    HttpOut,
    PeerAnswerInvalidError,
    PeerError,
    PeerRefusedError,
    PeerRestoredError,
    PeerTooSlowError,
    PeerUnreachableError,
)
from datwat.party.problems import require_row
from tests.party.web import serving


async def answer(request: Request) -> Response:
    how = request.path_params["how"]
    if how == "slow":
        await asyncio.sleep(5)
    cookies = orjson.dumps(request.headers.get("cookie"))
    refusal = orjson.dumps({"code": how, "detail": "999990019"})
    answers = {
        "echo": Response(await request.body(), media_type="application/json"),
        "text": Response("hello"),
        "created": Response("{}", 201, media_type="application/json"),
        "redirect": RedirectResponse("/echo", 307),
        "large": Response(b"1" * 2_000, media_type="application/json"),
        "endless": StreamingResponse(drip(), media_type="application/json"),
        "slow": Response("{}", media_type="application/json"),
        "cookies": Response(cookies, media_type="application/json", headers={"Set-Cookie": "a=b"}),
    }
    return answers.get(how, Response(refusal, 403, media_type="application/problem+json"))


async def drip() -> AsyncIterator[bytes]:
    while True:
        yield b"1" * 100
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = Starlette(routes=[Route("/{how}", answer, methods=["GET", "POST"])])
    with serving(app) as address:
        yield address


async def post(url: str, message: bytes = b"{}", seconds: float = 1.0) -> bytes:
    async with HttpOut() as http:
        return await http.post_message(url, message, seconds=seconds, max_bytes=1_000)


async def test_bytes_go_and_come_unchanged(url: str) -> None:
    message = b'{"b":1, "a": "\xc3\xa9"}'
    assert await post(url + "/echo", message) == message


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("text", PeerAnswerInvalidError),
        ("created", PeerAnswerInvalidError),
        ("redirect", PeerAnswerInvalidError),
        ("large", PeerAnswerInvalidError),
        ("endless", PeerError),
        ("slow", PeerTooSlowError),
    ],
)
async def test_each_way_to_fail_has_its_error(url: str, how: str, error: type[PeerError]) -> None:
    with pytest.raises(error):
        await post(f"{url}/{how}", seconds=0.4)


@pytest.mark.parametrize(
    ("code", "told"),
    [("covenant_expired", "covenant_expired"), ("999990019", "unknown"), ("x" * 99, "unknown")],
)
async def test_a_refusal_tells_the_peers_code_and_no_more(url: str, code: str, told: str) -> None:
    with pytest.raises(PeerRefusedError) as caught:
        await post(f"{url}/{code}")
    assert (caught.value.peer_code, caught.value.status) == (told, 403)
    assert "999990019" not in caught.value.detail


async def test_a_broker_that_was_just_restored_says_when_to_come_back(url: str) -> None:
    with pytest.raises(PeerRestoredError) as caught:
        await post(f"{url}/signed_before_restore")
    assert require_row(caught.value).status == 503
    assert "in half a minute" in caught.value.detail
    assert caught.value.peer_code == "signed_before_restore"


async def test_nobody_there() -> None:
    with pytest.raises(PeerUnreachableError):
        await post("http://127.0.0.1:1/x")
    with pytest.raises(PeerError):
        await post("no address")


@pytest.mark.parametrize("how", ["text", "created", "redirect", "large", "slow"])
async def test_an_error_names_where_and_nothing_more(url: str, how: str) -> None:
    with_password = url.replace("//", "//name:word@")
    with pytest.raises(PeerError) as caught:
        await post(f"{with_password}/{how}?q=1", seconds=0.4)
    detail = caught.value.detail
    assert detail.startswith(f"{url} ")
    assert ": " in detail, "it says what to do"
    for secret in ("word", f"/{how}", "q=1", "hello"):
        assert secret not in detail.removeprefix(url)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("http://127.0.0.1:1/x", "http://127.0.0.1:1 cannot be reached"),
        ("http://[::1]:1/x", "http://[::1]:1 cannot be reached"),
        ("http://127.0.0.1:x/", "Another party gave an answer"),
        ("http://a\nb/", "Another party cannot be reached"),
    ],
)
async def test_an_address_at_which_nobody_is_is_named(address: str, named: str) -> None:
    with pytest.raises(PeerError) as caught:
        await post(address)
    assert caught.value.detail.startswith(named)


@asynccontextmanager
async def breaking(answers: int) -> AsyncIterator[tuple[str, list[int]]]:
    """Answer so many requests on each connection; the next one finds it closed by then.

    Yields the address too, and the number of each connection on which a request came.
    """
    came: list[int] = []
    opened = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(opened)
        with contextlib.suppress(asyncio.IncompleteReadError):
            for place in range(answers + 1):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                came.append(number)
                if place < answers:
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    writer.write(head + b"Content-Length: 2\r\n\r\n[]")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came
    finally:
        server.close()


async def test_what_may_be_repeated_is_sent_again_where_a_kept_connection_was_closed() -> None:
    async with breaking(1) as (url, came), HttpOut() as http:

        async def send(*, is_repeatable: bool) -> bytes:
            return await http.post_message(
                url, b"{}", seconds=5.0, max_bytes=10, is_repeatable=is_repeatable
            )

        # Three are kept open, all of which are closed when they are used next.
        await asyncio.gather(*(send(is_repeatable=False) for _ in range(3)))
        assert await send(is_repeatable=True) == b"[]"
        assert sorted(came[:3]) == [1, 2, 3]
        assert (came[3] in {1, 2, 3}, came[4:]) == (True, [4])
        with pytest.raises(PeerUnreachableError):
            await send(is_repeatable=False)


async def test_what_breaks_twice_is_not_there() -> None:
    async with breaking(0) as (url, came), HttpOut() as http:
        with pytest.raises(PeerUnreachableError):
            await http.post_message(url, b"{}", seconds=5.0, max_bytes=10, is_repeatable=True)
        assert came == [1, 2]


async def test_no_cookies_and_no_proxies(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with HttpOut() as http:
        for _ in range(2):
            found = await http.fetch(url + "/cookies", seconds=1, max_bytes=100)
            assert found == b"null"
