"""One broker per module: OPA, database, log and keys are real, and start once.

A module that marks itself with `ON_EACH_DATABASE` runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.conftest import build_database_url, execute_on_server
from tests.exchange.world import Running, World, open_world


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database for one module; empty for a SQLite file."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres_url")
    name = f"exchange_{uuid.uuid4().hex}"
    execute_on_server(server, f"CREATE DATABASE {name}")
    yield build_database_url(server, name)
    execute_on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Running]:
    """Return an opened broker in a covenant of its own."""
    async with AsyncExitStack() as stack:
        world = World(tmp_path_factory.mktemp("world"), database_url=database)
        yield await open_world(world, stack)
