"""One broker with its officers per module; a module marked `ON_EACH_DATABASE` runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.authoring.world import Office, build_world
from tests.conftest import choose_database
from tests.exchange.world import open_world


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database for one module; empty for a SQLite file."""
    with choose_database(request) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Office]:
    """Return an opened broker whose officers hold their roles."""
    async with AsyncExitStack() as stack:
        world = build_world(tmp_path_factory.mktemp("world"), database)
        made = Office(await open_world(world, stack))
        await made.appoint()
        yield made
