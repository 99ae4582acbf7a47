"""A gateway that is never content, and callers who wait for one another's answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from broker.exchange.errors import TooManyRacesError
from broker.exchange.waiting import Waiting
from datwat.party.problems import InternalError
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.values import encode_bytes
from tests.exchange.source import free_port
from tests.exchange.world import (
    MOTIVATION,
    World,
    bsns,
    by_handle,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
    release_part,
    say,
)

KEY = ("00000099000000001000:social-team", bytes(16))


@asynccontextmanager
async def never_content(port: int, asked: list[int]) -> AsyncIterator[None]:
    """Serve a gateway that asks each time for a proof from yet another size."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                asked.append(1 + len(asked) % 2)
                body = json.dumps({"need_proof": asked[-1]}).encode()
                writer.write(
                    b"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        yield


async def test_a_gateway_that_is_never_content_is_not_asked_for_ever(tmp_path: Path) -> None:
    port, asked, bsn = free_port(), list[int](), next(bsns())
    world = World(tmp_path, {"debt-counselling": f"http://127.0.0.1:{port}"})
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(never_content(port, asked))
        running = await open_world(world, stack)
        await register(running, "debt-counselling", bsn, "debt_counselling")
        home = await open_household(running, bsn)
        shown = inquiry_part(await inquire(running, home, bsn)).pointers[0].involvement
        sent = world.build(
            "social-team",
            "release",
            [by_handle(home.handles[bsn], involvement=shown)],
            say(occasion=home.occasion, motivation=MOTIVATION),
            purpose=running.purpose("coordinate_family_help"),
            source=world.members["debt-counselling"].id,
            product="schuldregeling",
            fields=["regeling.status"],
            reply_key=encode_bytes(ExchangeKey.generate().public.raw),
        )
        part = release_part(running.verify(await running.send(sent), sent))
    assert part.failure == "source_refused_order"
    assert 1 < len(asked) <= 16


async def test_who_shares_a_question_that_fails_is_told_so() -> None:
    waiting, begun = Waiting(), asyncio.Event()

    async def fail() -> bytes:
        begun.set()
        await asyncio.sleep(0.01)
        raise RuntimeError

    first = asyncio.create_task(waiting.share(KEY, b"hash", fail))
    await begun.wait()
    second = asyncio.create_task(waiting.share(KEY, b"hash", fail))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(outcomes[0], RuntimeError)
    assert isinstance(outcomes[1], InternalError)


async def test_who_shares_a_question_that_was_given_up_may_ask_again() -> None:
    waiting, begun = Waiting(), asyncio.Event()

    async def hang() -> bytes:
        begun.set()
        await asyncio.sleep(60)
        return b""

    first = asyncio.create_task(waiting.share(KEY, b"hash", hang))
    await begun.wait()
    second = asyncio.create_task(waiting.share(KEY, b"hash", hang))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(TooManyRacesError):
        await second
    with pytest.raises(asyncio.CancelledError):
        await first
