from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench import load
from bench.flood import run_beside_flood
from bench.load import Connection, Run, build_request, run_closed, run_open, run_thinking

SLOW = 0.05


@asynccontextmanager
async def serve(seconds: float, status: int = 200) -> AsyncIterator[int]:
    """Serve one answer at a time, each after `seconds`, echoing the body."""
    lock, running = asyncio.Lock(), set[asyncio.Task[None] | None]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            async with lock:
                await asyncio.sleep(seconds)
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n".encode() + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    # A client that gave up leaves a connection whose end its handler has yet to see.
    await asyncio.gather(*filter(None, running), return_exceptions=True)


@asynccontextmanager
async def serve_with_stall(at: float, seconds: float) -> AsyncIterator[int]:
    """Serve at once, but for one stall that begins `at` seconds after the first question."""
    begins: float | None = None

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begins
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                begins = begins or time.perf_counter() + at
                if begins <= time.perf_counter() < begins + seconds:
                    await asyncio.sleep(begins + seconds - time.perf_counter())
                await asyncio.sleep(0)
                writer.write(f"HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def bodies(count: int) -> list[bytes]:
    return [build_request("/v1/x", b'{"n":%d}' % number) for number in range(count)]


async def test_answers_keep_the_order_of_the_questions() -> None:
    async with serve(0) as port:
        run = await run_closed(port, bodies(50), 4)
    assert run.answers == [b'{"n":%d}' % number for number in range(50)]
    assert run.require_ok().rate > 0


async def test_a_slow_answer_counts_against_those_who_wait_behind_it() -> None:
    async with serve(SLOW) as port:
        run = await run_open(port, bodies(10), rate=1_000)
    assert run.quantile(0.99) > 5 * SLOW * 1_000
    assert run.median > 2 * SLOW * 1_000


async def test_a_server_that_stalls_is_seen_by_those_who_were_due_meanwhile() -> None:
    """It stops for a second: an open loop sees a third of all wait, a closed one hardly anybody."""
    async with serve_with_stall(at=0.5, seconds=1.0) as port:
        run = await run_open(port, bodies(600), rate=200)
    slow = [latency for latency in run.latencies if latency > 0.1]
    # Due at random in this second: nine in ten of them waited for more than a tenth of it.
    assert 120 < len(slow) < 240
    assert 0.3 < sum(slow) / len(slow) < 0.7
    assert run.quantile(0.99) > 800
    async with serve_with_stall(at=0.02, seconds=1.0) as port:
        closed = await run_closed(port, bodies(600), 4)
    assert sum(latency > 0.1 for latency in closed.latencies) <= 4
    assert closed.quantile(0.99) < 100, "what was not asked meanwhile is not missed: no latency"


async def test_more_than_there_are_connections_for_wait_and_that_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MOST_CONNECTIONS", 20)
    async with serve_with_stall(at=0.1, seconds=1.0) as port:
        run = await run_open(port, bodies(300), rate=200)
    assert run.require_ok().quantile(0.99) > 800
    assert sum(latency > 0.1 for latency in run.latencies) > 100
    assert sorted(run.answers) == sorted(b'{"n":%d}' % number for number in range(300))


async def test_a_generator_that_is_late_itself_is_late_by_its_own_clock() -> None:
    async with serve(0) as port:
        asking = asyncio.create_task(run_open(port, bodies(100), rate=200))
        await asyncio.sleep(0.1)
        time.sleep(0.5)  # noqa: ASYNC251 - this process does nothing else meanwhile
        run = await asking
    assert run.quantile(0.9) > 200


async def test_two_ports_share_the_questions() -> None:
    async with serve(0) as one, serve(0) as other:
        run = await run_closed([one, other], bodies(40), 4)
        assert run.require_ok().answers == [b'{"n":%d}' % number for number in range(40)]
        assert len((await run_open([one, other], bodies(40), rate=500)).require_ok().answers) == 40


async def test_arrivals_come_at_the_rate_that_was_asked() -> None:
    began = time.perf_counter()
    async with serve(0) as port:
        await run_open(port, bodies(100), rate=200)
    assert 0.2 < time.perf_counter() - began < 2


async def test_a_refusal_is_no_answer() -> None:
    async with serve(0, status=503) as port:
        run = await run_closed(port, bodies(3))
    assert run.refused == [0, 1, 2]
    with pytest.raises(RuntimeError, match="503"):
        run.require_ok()


async def test_a_flood_goes_on_beside_the_questions() -> None:
    async with serve(0, status=429) as port:
        run, refused = await run_beside_flood(port, bodies(3), bodies(5), rate=50)
    assert run.refused == [0, 1, 2, 3, 4]
    assert refused > 5


async def test_a_flood_that_ended_gives_no_figure() -> None:
    async with serve(0) as port:
        with pytest.raises(RuntimeError, match="flood ended"):
            await run_beside_flood(port, [], bodies(2), rate=50)


async def test_people_think_before_they_ask_again() -> None:
    async with serve(0) as port:
        people = [[request, other] for request, other in zip(*[iter(bodies(40))] * 2, strict=True)]
        asked, run = await run_thinking(port, people, think=0.5, seconds=1.5)
    # 20 people who think half a second, for a second and a half after a first pause: some fifty.
    assert 30 < len(asked) < 90
    assert 1 < run.seconds < 2.5
    assert [request.partition(b"\r\n\r\n")[2] for request in asked] == run.answers
    for walk in people:
        own = [request for request in asked if request in walk]
        assert own == [walk[place % 2] for place in range(len(own))]


async def test_people_wait_for_their_answer_and_that_counts() -> None:
    async with serve(SLOW) as port:
        _, run = await run_thinking(port, [bodies(1)] * 5, think=0.01, seconds=0.5)
    assert run.quantile(0.99) > 3 * SLOW * 1_000
    assert run.rate < 1.2 / SLOW


def test_quantiles() -> None:
    run = Run(1.0, [number / 1_000 for number in range(100)], [], [])
    assert run.median == pytest.approx(49.5)
    assert run.quantile(0.99) == pytest.approx(99)


async def test_a_connection_that_was_closed_while_idle_is_opened_again() -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    async with server:
        connection = await Connection.open(server.sockets[0].getsockname()[1])
        for _ in range(3):
            assert await connection.send(build_request("/v1/x", b"{}")) == (200, b"{}")
            await asyncio.sleep(0.05)  # until the end of the connection is seen
        await connection.close()
