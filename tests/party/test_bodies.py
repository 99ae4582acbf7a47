"""Bodies on their way in: who is slow makes way, and who is not does not notice."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from starlette.types import Message, Receive

from datwat.party.bodies import Bodies, CallerGoneError, end_now
from datwat.party.problems import BodyTooLargeError, BodyTooSlowError

LONG = timedelta(seconds=30)


def build_caller(*parts: bytes) -> Receive:
    """Return a caller who sends these parts, and then nothing more."""
    left = list(parts)

    async def receive() -> Message:
        await asyncio.sleep(0)
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    return receive


def build_whole(parts: Sequence[bytes]) -> Receive:
    """Return a caller who sends a whole body in these parts."""
    left = list(parts)

    async def receive() -> Message:
        await asyncio.sleep(0)
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    return receive


@pytest.fixture
async def started() -> AsyncIterator[list[asyncio.Task[bytes]]]:
    tasks: list[asyncio.Task[bytes]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def start(
    tasks: list[asyncio.Task[bytes]], bodies: Bodies, *parts: bytes
) -> asyncio.Task[bytes]:
    task = asyncio.ensure_future(bodies.read(build_caller(*parts)))
    tasks.append(task)
    for _ in range(2 * len(parts) + 2):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("parts", [[b""], [b"abc"], [b"a", b"", b"bc"], [b"ab", b"c", b""]])
async def test_a_body_is_the_sum_of_its_parts(parts: list[bytes]) -> None:
    assert await Bodies(max_bytes=3, timeout=LONG).read(build_whole(parts)) == b"".join(parts)


@pytest.mark.parametrize("parts", [[b"abcd"], [b"abc", b"d"], [b"abc", b"", b"d"]])
async def test_a_byte_too_many_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(BodyTooLargeError):
        await Bodies(max_bytes=3, timeout=LONG).read(build_whole(parts))


async def test_too_many_unfinished_cost_the_oldest(started: list[asyncio.Task[bytes]]) -> None:
    bodies = Bodies(max_bytes=100, timeout=LONG, most=2)
    oldest, newer = [await start(started, bodies, b"x") for _ in range(2)]
    # One who sends all is served at once, and the oldest made room for it.
    assert await asyncio.wait_for(bodies.read(build_whole([b"a", b"b"])), 5) == b"ab"
    with pytest.raises(BodyTooSlowError):
        await asyncio.wait_for(oldest, 5)
    assert not newer.done()


async def test_too_many_bytes_unfinished_cost_the_oldest(
    started: list[asyncio.Task[bytes]],
) -> None:
    bodies = Bodies(max_bytes=100, timeout=LONG, most_bytes=250)
    oldest, newer, newest = [await start(started, bodies, b"x" * 45, b"x" * 45) for _ in range(3)]
    with pytest.raises(BodyTooSlowError):
        await asyncio.wait_for(oldest, 5)
    assert not newer.done()
    assert not newest.done()


async def test_what_has_ended_counts_no_longer(started: list[asyncio.Task[bytes]]) -> None:
    bodies = Bodies(max_bytes=100, timeout=LONG, most=2, most_bytes=150)
    waiting = await start(started, bodies, b"x" * 60)
    for _ in range(5):
        assert await bodies.read(build_whole([b"y" * 40, b"y" * 40, b"z"])) == b"y" * 80 + b"z"
        with pytest.raises(BodyTooLargeError):
            await bodies.read(build_whole([b"y" * 50, b"y" * 51]))
        cut = await start(started, bodies, b"y" * 80)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
    gc.collect()
    assert not waiting.done()


async def test_a_caller_who_goes_away_is_no_fault() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(CallerGoneError):
        await Bodies(max_bytes=3, timeout=LONG).read(receive)


async def test_who_makes_way_may_be_over_already() -> None:
    """Its deadline passed, and its task was not told yet: nobody else may come to harm by that."""

    async def make_way() -> None:
        async with asyncio.timeout(0) as deadline:
            try:
                await asyncio.Event().wait()
            finally:
                assert deadline.expired()
                end_now(deadline)

    with pytest.raises(TimeoutError):
        await make_way()
