"""What runs beside the answers begins anew where it fails, and ends where it is done."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from datwat.party import background
from datwat.party.background import run_on, start


async def test_what_fails_is_said_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[tuple[str, str]]()

    class Heard:
        def error(self, event: str, *, exception: str) -> None:
            said.append((event, exception))

    monkeypatch.setattr(background, "_log", Heard())
    monkeypatch.setattr(background, "_PAUSE_SECONDS", 0.01)
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise LookupError("999990019")

    async with asyncio.timeout(20):
        await run_on(work)
    assert begun == 3
    assert said == [("work_failed", "LookupError")] * 2


async def test_it_ends_with_the_party() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with AsyncExitStack() as stack:
        start(stack, work)
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await ended.wait()
