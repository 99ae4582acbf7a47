"""Connections on which nothing comes, or from which nothing is taken."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from datwat.party import connections
from datwat.party.connections import HttpConnection, allow_connections, drop_untaken
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from tests.party.web import serving

HEAD_SECONDS = 0.5
_HALF = b"GET /say HTTP/1.1\r\nHost: x\r\nX-Long: "


async def say(_request: Request) -> Response:
    return Response("yes")


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", HEAD_SECONDS)
    app = build_app(ApiInfo(title="Test", description="Test."), [], limits=Limits())
    app.add_route("/say", say)
    with serving(app, http=HttpConnection) as address:
        yield address


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def require_hung_up(connection: socket.socket, more: bytes) -> None:
    """Send `more` again and again, and see that the server ends it in time."""
    connection.settimeout(HEAD_SECONDS / 5)
    until = time.monotonic() + 4 * HEAD_SECONDS
    while time.monotonic() < until:
        try:
            if not connection.recv(1_000):
                return
        except TimeoutError:
            connection.sendall(more)
        except ConnectionError:
            return
    pytest.fail("the connection is still held")


@pytest.mark.parametrize(
    ("begun", "more"),
    [(b"", b""), (b"GE", b""), (_HALF, b"x")],
    ids=["nothing", "half", "trickling"],
)
def test_a_head_that_does_not_come_is_not_waited_for(url: str, begun: bytes, more: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(begun)
        require_hung_up(connection, more)


def test_a_second_head_has_a_deadline_too(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"GET /say HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1_000).endswith(b"yes")
        connection.sendall(_HALF)
        require_hung_up(connection, b"x")


@pytest.mark.parametrize("part", [b"x" * 65_536, b"\r\na:b" * 200], ids=["one line", "many lines"])
def test_a_head_without_end_is_not_kept(
    url: str, monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 30)
    with connect(url) as connection:
        sent = 0
        with pytest.raises(ConnectionError):  # noqa: PT012 - which of them it is hung up on, is open
            connection.sendall(_HALF)
            while sent < 20_000_000:
                connection.sendall(part)
                sent += len(part)
                time.sleep(0.001)
    assert sent < 6_000_000


def test_a_long_head_that_is_whole_is_answered(url: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            headers = {f"x-{number}": "y" * 500 for number in range(100)}
            assert client.get(url + "/say", headers=headers).text == "yes"


def test_an_honest_connection_is_kept(url: str) -> None:
    ports = set()
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            answer = client.get(url + "/say")
            assert answer.text == "yes"
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(1.5 * HEAD_SECONDS)
    assert len(ports) == 1


def test_what_nobody_takes_is_not_kept_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        drop_untaken(listening)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                held = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert held == 30_000


def test_as_many_files_may_be_open_as_the_system_lets() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))
        allow_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
