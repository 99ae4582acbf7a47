"""The connections to OPA against a server that misbehaves in every way that a test can think of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from broker.adapters import opa_http
from broker.adapters.opa_http import MOST_BYTES, OpaHttp, OpaHttpError, OpaTokenError
from broker.adapters.opa_link import AT_ONCE, OpaLink
from tests.policy.opa_world import DECISION, make_evaluation

TOKEN = "a-token-that-must-never-be-shown"
PATH = "/v1/data/datwat/ask/decision"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Answer = Callable[[int], bytes]


class Server:
    """Answers the nth request on any connection with what the test says; keeps connections."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _number: OK
        self.port = 0
        self.connections = 0
        self.asked: list[bytes] = []
        self.closes = False
        self.wait = 0.0
        self.running = self.most_running = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.asked.append(head + await reader.readexactly(length))
                number = len(self.asked)
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                if self.wait:
                    await asyncio.sleep(self.wait)
                self.running -= 1
                writer.write(self.answer(number))
                await writer.drain()
                if self.closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


@pytest.fixture
async def http(server: Server) -> AsyncIterator[OpaHttp]:
    made = OpaHttp("127.0.0.1", server.port, token=TOKEN)
    yield made
    made.close()


async def test_a_connection_is_kept_and_the_request_is_whole(http: OpaHttp, server: Server) -> None:
    for _ in range(3):
        assert await http.post(PATH, b'{"input":1}') == b"{}"
    assert server.connections == 1
    head = (
        f"POST {PATH}?provenance=true HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        "Content-Length: 11\r\n\r\n"
    )
    assert server.asked == [head.encode() + b'{"input":1}'] * 3


async def test_questions_at_once_go_over_connections_of_their_own(
    http: OpaHttp, server: Server
) -> None:
    server.wait = 0.05
    server.answer = lambda number: OK.replace(b"{}", b"%02d" % number)
    answers = await asyncio.gather(*(http.post(PATH, b"x") for _ in range(5)))
    assert sorted(answers) == [b"01", b"02", b"03", b"04", b"05"]
    assert server.connections == 5


async def test_batches_at_once_are_no_more_to_opa_than_one(server: Server) -> None:
    revision = "a" * 64
    answer = {"result": DECISION, "provenance": {"bundles": {"datwat": {"revision": revision}}}}
    body = json.dumps(answer).encode()
    server.answer = lambda _number: (
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
        % (
            len(body),
            body,
        )
    )
    server.wait = 0.005
    link = OpaLink("127.0.0.1", server.port, token=TOKEN, deadline=5)
    await link.open()
    batches = [link.weigh_all([make_evaluation()] * 32, revision) for _ in range(4)]
    decisions = await asyncio.gather(*batches)
    await link.close()
    assert [len(one) for one in decisions] == [32] * 4
    assert server.most_running == AT_ONCE


async def test_an_answer_in_chunks_is_put_together(http: OpaHttp, server: Server) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answer = lambda _number: head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert await http.post(PATH, b"x") == b"abcde"
    assert await http.post(PATH, b"x") == b"abcde"
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"200", b"201"),
        OK.replace(b"200", b"500"),
        b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        OK + OK,  # an answer more, for the next question
        OK + b"x",
        OK.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 3"),
        OK.replace(b"Content-Length: 2", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
        OK.replace(b"Content-Length: 2", b"Content-Length: -2"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + 1)
        + b"x" * (MOST_BYTES + 1),
        b"nonsense\r\n\r\n",
    ],
)
async def test_anything_but_one_whole_answer_is_none_and_the_connection_ends(
    http: OpaHttp, server: Server, answer: bytes
) -> None:
    server.answer = lambda number: answer if number == 1 else OK
    async with asyncio.timeout(5):
        with pytest.raises(OpaHttpError):
            await http.post(PATH, b"x")
        assert await http.post(PATH, b"x") == b"{}"
    assert server.connections == 2


@pytest.mark.parametrize("answer", [b"", OK[:-1], OK[:20], b"HTTP/1.1 200 OK\r\n\r\nup to the end"])
async def test_an_answer_that_breaks_off_is_none(
    http: OpaHttp, server: Server, answer: bytes
) -> None:
    server.answer, server.closes = lambda _number: answer, True
    async with asyncio.timeout(5):
        with pytest.raises(OpaHttpError):
            await http.post(PATH, b"x")


async def test_a_late_answer_reaches_no_other_question(http: OpaHttp, server: Server) -> None:
    server.wait = 0.1
    server.answer = lambda number: OK.replace(b"{}", b"%02d" % number)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await http.post(PATH, b"x")
    assert await http.post(PATH, b"x") == b"02"
    assert server.connections == 2


async def test_what_comes_without_a_question_ends_the_connection(
    http: OpaHttp, server: Server
) -> None:
    async def add_more(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(OK.replace(b"{}", b"[]"))
        await asyncio.sleep(0.2)
        writer.close()

    listening = await asyncio.start_server(add_more, "127.0.0.1", 0)
    other = OpaHttp("127.0.0.1", listening.sockets[0].getsockname()[1], token=TOKEN)
    assert await other.post(PATH, b"x") == b"{}"
    await asyncio.sleep(0.1)
    assert await other.post(PATH, b"x") == b"{}"  # on a connection of its own
    other.close()
    await asyncio.sleep(0.3)  # so that both ends are closed
    listening.close()
    assert await http.post(PATH, b"x") == b"{}"
    assert server.connections == 1


async def test_a_connection_that_lay_idle_or_was_closed_is_not_asked_again(
    http: OpaHttp, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda _number: OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    await http.post(PATH, b"x")
    await http.post(PATH, b"x")
    assert server.connections == 2
    server.answer = lambda _number: OK
    await http.post(PATH, b"x")
    monkeypatch.setattr(opa_http, "IDLE_SECONDS", 0.0)
    await http.post(PATH, b"x")
    assert server.connections == 4


async def test_closing_ends_what_waits(http: OpaHttp, server: Server) -> None:
    server.wait = 5.0
    waiting = asyncio.create_task(http.post(PATH, b"x"))
    await asyncio.sleep(0.05)
    http.close()
    async with asyncio.timeout(1):
        with pytest.raises(OpaHttpError):
            await waiting


@pytest.mark.parametrize("token", ["", "two words", "line\n", "line\r\nX-Other: 1", "é"])
def test_a_token_that_no_header_holds_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(OpaTokenError) as refused:
        OpaHttp("127.0.0.1", 1, token=token)
    assert refused.value.code == "opa_token"
    assert not token or token not in f"{refused.value!r}{refused.value}"


async def test_the_token_shows_nowhere(http: OpaHttp, server: Server) -> None:
    server.answer = lambda _number: b"nonsense"
    with pytest.raises(OpaHttpError) as refused:
        await http.post(PATH, b"x")
    assert TOKEN not in f"{http!r}{refused.value!r}{refused.value.__cause__!r}"
