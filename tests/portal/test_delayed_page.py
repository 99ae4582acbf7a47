"""A page of somebody of whom an entry waits does not differ from the page before, nor in its time.

Here the log is that of a real broker, and every card is verified as the portal verifies it.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest
import pytest_asyncio

from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import Page
from tests.exchange.conftest import database as database  # noqa: PLC0414 - a fixture, by its name
from tests.exchange.test_chains import situation
from tests.exchange.world import (
    Running,
    World,
    bsns,
    inquire,
    open_household,
    open_world,
    register,
)
from tests.portal.log_world import OWN, StandIn, build_log_world
from tests.transparency.test_access_log import Resident, log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
# What is drawn anew for each page, and the clock.
_DRAWN = re.compile(r'value="[\w-]{16,}"|\b\d\d:\d\d\b')


@dataclass
class RealLog(StandIn):
    """A desk whose log is that of a real broker."""

    resident: Resident | None = field(default=None)

    async def fetch_access_log(self, handle: bytes, page: Page) -> AccessLog:
        """Read and verify a page of it."""
        assert handle == OWN
        assert self.resident is not None
        return await self.resident.read(page.limit, page.before, page.number)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> tuple[httpx.AsyncClient, RealLog]:
    world = build_log_world([])
    log = RealLog({})
    monkeypatch.setattr(world.desk, "fetch_access_log", log.fetch_access_log)
    return world.client(), log


async def read_pages(client: httpx.AsyncClient, *paths: str) -> list[tuple[int, str]]:
    """Return status and text of each page, without what is drawn anew."""
    answers = [await client.get(path) for path in paths]
    return [(answer.status_code, _DRAWN.sub("", answer.text)) for answer in answers]


async def measure(client: httpx.AsyncClient, path: str) -> float:
    """Return the least CPU time that a page took: what the machine does beside it is left out."""
    taken = []
    for _ in range(15):
        began = time.process_time()
        await client.get(path)
        taken.append(time.process_time() - began)
    return min(taken)


async def test_before_it_opens_no_page_differs_in_content_length_or_time(
    broker: Running, real: tuple[httpx.AsyncClient, RealLog]
) -> None:
    client, log = real
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    for _ in range(4):
        await inquire(broker, home, bsn)
    (log.resident,) = await log_in(broker, bsn)
    first = broker.broker.log.size
    numbers = [card.number for card in (await log.resident.read()).cards]
    paths = ("/log", f"/log/{numbers[0]}", *(f"/log/{first + place}" for place in range(3)))
    before, fast = await read_pages(client, *paths), await measure(client, "/log")

    waiting = await open_household(broker, bsn, special_situation=situation())
    await inquire(broker, waiting, bsn)

    assert broker.broker.log.size > first + 1
    after = await read_pages(client, *paths)
    assert [status for status, _ in after] == [200, 200, 404, 404, 404]
    assert after == before
    assert len({len(text) for status, text in after if status == 404}) == 1
    assert await measure(client, "/log") < 2 * fast
    waits, unknown = await measure(client, paths[2]), await measure(client, "/log/999999")
    assert waits < 2 * unknown
    assert unknown < 2 * waits


async def test_a_new_entry_that_does_not_wait_is_seen(
    broker: Running, real: tuple[httpx.AsyncClient, RealLog]
) -> None:
    """The control: the pages above would differ if there were something to see."""
    client, log = real
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    (log.resident,) = await log_in(broker, bsn)
    before = await read_pages(client, "/log")
    await inquire(broker, home, bsn)
    assert await read_pages(client, "/log") != before
