"""A database with the connector's schema, of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from connectors.tables import MIGRATIONS
from tests.conftest import open_party_engine
from tests.databases import EACH


@pytest.fixture(params=EACH)
def own_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a fresh database with the connector's schema, of each kind in turn."""
    with open_party_engine(request, tmp_path, MIGRATIONS) as engine:
        yield engine
