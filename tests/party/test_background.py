"""What runs beside the answers begins anew where it fails, and ends where it is done."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from datwat.party import background
from datwat.party.background import run_on, start


async def test_what_fails_is_said_and_begins_anew(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
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
    said = capfdbinary.readouterr().err
    assert said.count(b'"event":"work_failed"') == 2
    assert said.count(b'"exception":"LookupError"') == 2
    assert b"999990019" not in said


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
