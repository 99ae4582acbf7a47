"""The residents' pages for who is logged in, with a stand-in behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.portal.affairs import FULL, change
from tests.portal.saying import StandIn, World, build_world
from tests.portal.surfing import NOTHING_SAID, Surfer


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The pages, built once: their templates take a second."""
    return build_world(tmp_path_factory.mktemp("portal"), StandIn())


@pytest.fixture
def desk(shared: World) -> StandIn:
    """What stands behind the pages, as it begins."""
    shared.desk.begin(NOTHING_SAID, change(FULL, consents=()))
    return shared.desk


@pytest.fixture
def world(shared: World, desk: StandIn) -> World:
    assert shared.desk is desk
    return shared


@pytest.fixture
async def surfer(world: World) -> AsyncIterator[Surfer]:
    async with world.connect() as client:
        yield Surfer(world, client)
