"""One covenant with two processes of a broker, one with four; a ratchet server for both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import open_database
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import build_system, sync
from tests.faults.world import RIGHTS
from tests.parties import PartnerSpec
from tests.postgres import OwnServer, own_server
from tests.several.world import SeveralCovenant


@pytest.fixture(scope="session")
def ratchet_server(postgres_url: str) -> Iterator[OwnServer]:
    """Return another server than the database's (which is asked for first: it may be absent)."""
    del postgres_url
    with own_server() as server:
        yield server


@pytest.fixture(scope="session")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> OwnSystem:
    return build_system(tmp_path_factory.mktemp("several-own"), range(40))


@pytest.fixture(scope="module")
def four(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    ratchet_server: OwnServer,
    own_system: OwnSystem,
) -> Iterator[SeveralCovenant]:
    """Return a covenant whose broker has four processes."""
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], own_system.declaration, number=2),
        PartnerSpec("debt-counselling", "debt", RIGHTS, number=4),
    )
    with (
        open_database(postgres_url) as database,
        open_database(ratchet_server.url) as ratchet,
        SeveralCovenant(
            tmp_path_factory.mktemp("several"),
            partners,
            database=database,
            ratchet=ratchet,
            count=4,
        ) as covenant,
    ):
        sync(covenant)
        yield covenant
