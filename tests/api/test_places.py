"""Public requests read at a few places; where too many wait, the next is told to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from broker.api import places
from broker.api.places import Places
from broker.api.public_figures import PublicFigures
from broker.api.table import INFO
from broker.transparency.figures import Month, MonthFigures
from broker.transparency.indicators import Indicators, build_indicators
from broker.transparency.processing_register import Register
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.problems import TooBusyError
from tests.exchange.world import now

pytestmark = pytest.mark.asyncio
_MOST = places._MOST_HERE  # noqa: SLF001 - what is tested
_MONTH = Month.before(now())


async def test_only_so_many_wait_and_a_place_is_given_back() -> None:
    held, go_on = Places(2), asyncio.Event()
    inside = 0

    async def stay() -> None:
        nonlocal inside
        async with held.take():
            inside += 1
            await go_on.wait()
            inside -= 1

    waiting = [asyncio.ensure_future(stay()) for _ in range(_MOST)]
    await asyncio.sleep(0)
    assert inside == 2
    with pytest.raises(TooBusyError):
        await asyncio.wait_for(stay(), 5)
    go_on.set()
    await asyncio.gather(*waiting)
    assert await held.read(lambda: 7) == 7


async def test_a_place_is_given_back_by_who_fails() -> None:
    held = Places(1)
    for _ in range(_MOST + 2):
        with pytest.raises(ZeroDivisionError):
            await held.read(lambda: 1 // 0)
    assert await held.read(lambda: 7) == 7


class SlowMonths:
    """A month that is being counted as long as the test wants; the tables are real ones."""

    def __init__(self) -> None:
        self.counted = asyncio.Event()
        self.at_once = 0

    async def fetch_indicators(self, month: Month) -> Indicators:
        self.at_once += 1
        await self.counted.wait()
        self.at_once -= 1
        return build_indicators(MonthFigures(month))

    def read_register(self) -> Register:
        raise AssertionError


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[tuple[SlowMonths, httpx.AsyncClient]]:
    months = SlowMonths()
    app = build_app(INFO, PublicFigures(months, now).build_operations(), limits=Limits())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as client:
        yield months, client


async def test_anybodys_requests_take_four_places_of_the_broker(
    slow: tuple[SlowMonths, httpx.AsyncClient],
) -> None:
    months, client = slow
    path = f"/v1/indicators/{_MONTH}"
    asked = [asyncio.ensure_future(client.get(path)) for _ in range(_MOST + 10)]
    async with asyncio.timeout(20):
        while len(done := [one for one in asked if one.done()]) < 10:
            await asyncio.wait(asked, timeout=0.2)
    assert {one.result().status_code for one in done} == {503}
    refused = next(iter(done)).result()
    assert refused.json()["code"] == "too_busy"
    assert refused.headers["retry-after"] == "1"
    assert months.at_once == 4
    months.counted.set()
    answers = [(await one).status_code for one in asked]
    assert answers.count(200) == _MOST
    assert not months.at_once
