from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from keyholder.tables import MIGRATIONS
from tests.conftest import open_party_engine
from tests.databases import EACH
from tests.keyholder.world import World
from tests.party.covenant import Member, build_member, now

NAMES = ("helper", "second", "closed", "over", "portal", "school", "loader", "busy")


@pytest.fixture(scope="session")
def members() -> dict[str, Member]:
    """Return one partner per situation, so that no test changes another one's."""
    return {
        "helper": build_member(1, "register", "inquire"),
        "second": build_member(2, "register", "inquire"),
        "closed": build_member(3, "register", "inquire"),
        "over": build_member(4, "register", "inquire", covenant_until=now() - timedelta(days=1)),
        "portal": build_member(5, "self", "inquire"),
        "school": build_member(6),
        "loader": build_member(7, "register"),
        "busy": build_member(8, "inquire"),
    }


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, members: dict[str, Member]) -> Iterator[World]:
    """Return a running key holder at which everybody but "closed" is open."""
    made = World(tmp_path_factory.mktemp("keyholder"), tuple(members.values()))
    try:
        made.start(DATWAT_QUOTA_SELF="3", DATWAT_QUOTA_REGISTER="50", DATWAT_LOG_LEVEL="info")
        for name, member in members.items():
            if name != "closed":
                made.enable(member, first_load=40 if name == "loader" else 0)
        yield made
    finally:
        made.close()


@pytest.fixture(params=EACH)
def own_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Return an engine on a fresh database with the key holder's schema, of each kind in turn."""
    with open_party_engine(request, tmp_path, MIGRATIONS) as engine:
        yield engine
