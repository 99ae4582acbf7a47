"""A broker with its officers and their pages, per module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from httpx import ASGITransport

from broker.policy.sealed_keys import SealedKeys
from tests.authoring.world import Office, build_world
from tests.broker_pages.world import PASSPHRASE, PagesWorld, Visitor, open_pages_world
from tests.exchange.world import open_world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PagesWorld]:
    """Return the pages of a broker whose officers hold their roles, with their keys sealed."""
    async with AsyncExitStack() as stack:
        world = build_world(tmp_path_factory.mktemp("world"), "")
        office = Office(await open_world(world, stack))
        await office.authoring.approving.catch_up()
        await office.appoint()
        sealed = SealedKeys(office.broker.settings.home)
        for key in office.keys:
            sealed.put(key, PASSPHRASE)
        yield await open_pages_world(office)


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(pages: PagesWorld) -> AsyncIterator[Visitor]:
    """Return somebody without a session yet."""
    transport = ASGITransport(app=pages.app)
    async with httpx.AsyncClient(
        transport=transport, base_url=pages.url, trust_env=False
    ) as client:
        yield Visitor(pages, client)
