"""One broker per module, on each kind of database: OPA, log and keys are real, and start once.

A module's `GATEWAYS` say which partners' gateways the trust list names, and where.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from pyrage import x25519

from tests.conftest import choose_database
from tests.databases import EACH
from tests.exchange.restoring import Copies
from tests.exchange.world import Running, World, open_world


@pytest.fixture(scope="module", params=EACH)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database for one module; empty where the home's own is meant."""
    with choose_database(request) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database: str
) -> AsyncIterator[Running]:
    """Return an opened broker in a covenant of its own."""
    gateways: dict[str, str] = getattr(request.module, "GATEWAYS", {})
    async with AsyncExitStack() as stack:
        world = World(tmp_path_factory.mktemp("world"), gateways, database)
        yield await open_world(world, stack)


@pytest.fixture
def copies(tmp_path: Path, database: str) -> Iterator[Copies]:
    """Return a world of one's own that does not run, with what would be kept of it elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    made = Copies(
        World(tmp_path, database_url=database), database, folder, x25519.Identity.generate()
    )
    yield made
    if database:
        made.lose_database()
