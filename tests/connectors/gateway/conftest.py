from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import choose_database
from tests.connectors.gateway.world import World
from tests.databases import EACH


@pytest.fixture(params=EACH)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with choose_database(request) as url:
        opened = World(tmp_path, url)
        yield opened
        opened.close()
