"""What other processes changed counts within a second, also where the look at it was slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from starlette.responses import Response

from broker import sharing as module
from broker.sharing import OUTBOX, POLICY, SUSPENSIONS, TRUST_LIST, OutdatedError, Polled, Sharing
from broker.sharing_wiring import gate
from datwat.party.openapi import Operation
from tests.several.sessions import ALONE, QuietSession, ToldSession


class SlowSession(QuietSession):
    """Looks that take as long as they are told by the test's own clock; the first sees nothing."""

    def __init__(self, *looks: float) -> None:
        self.now = 0.0
        self.begun = 0
        self._looks = list(looks)
        self._changed = 0

    def poll(self, told: Collection[str] = ()) -> Polled:
        self.begun += 1
        if self._looks:
            self.now += self._looks.pop(0)
        changed, self._changed = self._changed, 1
        return Polled({SUSPENSIONS: changed}, keeps_house=True, holders=ALONE)


async def test_a_change_is_a_second_old_from_the_last_look_that_did_not_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = SlowSession(0.0, 0.9, 0.2)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: session.now))
    sharing = Sharing(1, session, is_shared=True)
    is_taken_up = asyncio.Event()

    async def take_up() -> bool:
        await is_taken_up.wait()
        return True

    sharing.on(SUSPENSIONS, take_up)
    running = asyncio.ensure_future(sharing.run())
    async with asyncio.timeout(20):
        while session.begun < 4:  # noqa: ASYNC110 - a look is of a thread
            await asyncio.sleep(0.01)
        # Changed at any moment after 0, seen at 0.9: at 1.1 it may be older than a second.
        assert not sharing.is_current
        is_taken_up.set()
        await sharing.require_current()
    running.cancel()
    sharing.close()


class OutgrownSession(QuietSession):
    """A database whose schema a newer version changes after the first look."""

    is_outgrown = False

    def poll(self, told: Collection[str] = ()) -> Polled:
        if self.is_outgrown:
            raise OutdatedError
        self.is_outgrown = True
        return Polled({}, keeps_house=True, holders=ALONE)


@pytest.mark.parametrize("is_shared", [True, False], ids=["several", "one"])
async def test_nobody_is_answered_on_a_schema_of_a_newer_version(is_shared: bool) -> None:
    async def answer(_request: Request) -> Response:
        return Response()

    sharing = Sharing(1, OutgrownSession(), is_shared=is_shared)
    asked = Operation("/v1/inquiries", "ask", "Asks.", answer, None)
    (gated,) = gate([asked], sharing)
    request = Request({"type": "http"})
    assert (await gated.endpoint(request)).status_code == 200
    running = asyncio.ensure_future(sharing.run())
    async with asyncio.timeout(20):
        while sharing.keeps_house:  # noqa: ASYNC110 - a look is of a thread
            await asyncio.sleep(0.01)
        with pytest.raises(OutdatedError):
            await gated.endpoint(request)
    assert not sharing.is_current
    running.cancel()
    sharing.close()


async def test_what_changed_here_is_told_until_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    session = ToldSession(away=2)
    sharing = Sharing(1, session, is_shared=True)
    running = asyncio.ensure_future(sharing.run())
    # Who was killed had no time to: the next one tells of what is not told in a transaction.
    await await_true(lambda: session.told == [POLICY, TRUST_LIST])
    assert session.looks == 4  # two of which failed
    monkeypatch.setattr(module, "POLL_SECONDS", 60.0)
    for told in (OUTBOX, POLICY):  # after the first one the next look would be in a minute
        sharing.announce(told)
        sharing.announce(told)
        await await_true(lambda: session.told[-1] == told)  # noqa: B023 - awaited here
    assert session.told[2:] == [OUTBOX, POLICY]
    running.cancel()
    sharing.close()


async def test_what_changes_while_it_is_taken_up_is_taken_up_again() -> None:
    session = ToldSession()
    sharing = Sharing(1, session, is_shared=True)
    begun, is_over = 0, asyncio.Event()

    async def take_up() -> bool:
        nonlocal begun
        begun += 1
        await is_over.wait()
        return True

    sharing.on(SUSPENSIONS, take_up)
    running = asyncio.ensure_future(sharing.run())
    session.numbers = {SUSPENSIONS: 1}
    await await_true(lambda: begun == 1)
    session.numbers = {SUSPENSIONS: 2}  # what is being read now may be of before
    looks = session.looks
    await await_true(lambda: session.looks > looks + 1)
    is_over.set()
    await await_true(lambda: begun == 2)
    running.cancel()
    sharing.close()


async def await_true(holds: Callable[[], bool]) -> None:
    """Wait until it holds; a look is of a thread, and tells nobody."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
