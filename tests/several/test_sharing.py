"""What other processes changed counts within a second, also where the look at it was slow."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from starlette.responses import Response

from broker import sharing as module
from broker.sharing import SUSPENSIONS, OutdatedError, Polled, Sharing
from broker.sharing_wiring import gate
from datwat.party.openapi import Operation
from tests.several.sessions import QuietSession


class SlowSession(QuietSession):
    """Looks that take as long as they are told by the test's own clock; the first sees nothing."""

    def __init__(self, *looks: float) -> None:
        self.now = 0.0
        self.begun = 0
        self._looks = list(looks)
        self._changed = 0

    def poll(self) -> Polled:
        self.begun += 1
        if self._looks:
            self.now += self._looks.pop(0)
        changed, self._changed = self._changed, 1
        return Polled({SUSPENSIONS: changed}, keeps_house=True)


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

    def poll(self) -> Polled:
        if self.is_outgrown:
            raise OutdatedError
        self.is_outgrown = True
        return Polled({}, keeps_house=True)


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
