"""A site behind a provider that can lie, spoken to without a network; and one in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.portal.provider import HostileProvider
from tests.web.visitor import ORIGIN, Visitor
from tests.web.world import World, build_world


@pytest.fixture
def hostile() -> Iterator[HostileProvider]:
    with HostileProvider() as provider:
        yield provider


@pytest.fixture
def world(hostile: HostileProvider) -> World:
    return build_world(hostile.issuer, ORIGIN)


@pytest.fixture
async def visitor(world: World, hostile: HostileProvider) -> AsyncIterator[Visitor]:
    transport = httpx.ASGITransport(app=world.app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield Visitor(client, hostile)
