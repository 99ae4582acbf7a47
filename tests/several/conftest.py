"""Covenants whose broker has four processes: one to ask, one to disturb; a ratchet server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import execute_on_server, open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import build_system, sync
from tests.faults.world import RIGHTS, Seen, open_child
from tests.parties import PartnerSpec
from tests.postgres import OwnServer, own_server
from tests.several.load import CHILDREN
from tests.several.pair import Pair, server_pair
from tests.several.proxy import Proxy
from tests.several.world import Asking, SeveralCovenant, WitnessedCovenant

CovenantT = TypeVar("CovenantT", bound=SeveralCovenant)


@pytest.fixture(scope="session")
def ratchet_server(postgres_url: str) -> Iterator[OwnServer]:
    """Return another server than the database's (which is asked for first: it may be absent)."""
    del postgres_url
    with own_server() as server:
        yield server


@pytest.fixture(scope="session")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> OwnSystem:
    return build_system(tmp_path_factory.mktemp("several-own"), range(40))


def build_partners(system: OwnSystem) -> tuple[PartnerSpec, PartnerSpec]:
    """Return who asks, and the source whose own system this is."""
    return (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
    )


@contextmanager
def open_covenant(
    kind: type[CovenantT],
    folder: Path,
    servers: tuple[str, str],
    partners: Sequence[PartnerSpec],
    *,
    count: int,
) -> Iterator[CovenantT]:
    """Yield a covenant that runs and knows the source's clients.

    `servers` are those of its database and of its ratchet, on each of which it has a new one.
    """
    at, beside = servers
    with (
        open_database(at) as database,
        open_database(beside) as ratchet,
        kind(folder, partners, database=database, ratchet=ratchet, count=count) as covenant,
    ):
        sync(covenant)
        yield covenant


@pytest.fixture(scope="module")
def four(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    ratchet_server: OwnServer,
    own_system: OwnSystem,
) -> Iterator[SeveralCovenant]:
    """Return a covenant whose broker has four processes."""
    debt = PartnerSpec("debt-counselling", "debt", RIGHTS, number=4)
    partners = (*build_partners(own_system), debt)
    folder = tmp_path_factory.mktemp("several")
    servers = (postgres_url, ratchet_server.url)
    with open_covenant(SeveralCovenant, folder, servers, partners, count=4) as covenant:
        yield covenant


@dataclass
class Stormy:
    """A covenant of four processes whose servers can be stopped, and what it is asked about."""

    covenant: WitnessedCovenant
    pair: Pair
    ratchet: OwnServer
    ratchet_network: Proxy
    children: list[Seen]


@pytest.fixture(scope="session")
def stormy(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ratchet_server: OwnServer
) -> Iterator[Stormy]:
    del postgres_url  # absent where there are no server programs
    folder = tmp_path_factory.mktemp("stormy")
    partners = build_partners(build_system(folder, range(8)))
    with (
        server_pair() as pair,
        open_database(ratchet_server.url) as ratchet,
        Proxy(ratchet_server.port) as network,
    ):
        execute_on_server(pair.primary.url, "CREATE DATABASE broker")
        database = pair.build_url("broker")
        covenant = WitnessedCovenant(
            folder / "covenant",
            partners,
            database=database,
            ratchet=network.through(ratchet),
            count=4,
        )
        for name in ("INQUIRE", "REGISTER"):
            covenant.key_holder.environment[f"DATWAT_QUOTA_{name}"] = "1000000"
        with covenant:
            sync(covenant)
            with Asking(covenant, "social-team") as team:
                children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
            yield Stormy(covenant, pair, ratchet_server, network, children)
