"""One broker as a process of its own, which also keeps a log of processing activities."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datwat.party.settings import change_settings
from tests.api.conftest import start, stop
from tests.exchange.world import World
from tests.others.world import Others


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Others]:
    folder = tmp_path_factory.mktemp("others")
    world, ldv = World(folder), folder / "ldv"
    change_settings(
        world.home,
        {"ldv_target": f"file:{ldv}", "rate_burst": 100_000, "opa_deadline_ms": 10_000},
    )
    served = start(world, folder / "log")
    yield Others(served, ldv)
    stop(served)
