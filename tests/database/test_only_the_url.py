"""`DATWAT_DATABASE_URL` in the environment is all that puts a party on a PostgreSQL server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import inspect

from connectors.client import requests as rq
from datwat.party.database import open_engine
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.connectors.client.test_end_to_end import BORN, NOOR, ask, known, member, opening
from tests.connectors.client.test_end_to_end import record as find_record
from tests.databases import create_database, drop_database
from tests.parties import run_command
from tests.schemas.world import EveryParty

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.timeout(300),  # seven processes start
    pytest.mark.sqlite_only("homes must name no database, so that the environment alone does"),
]
NAME = "DATWAT_DATABASE_URL"


class ByEnvironment(EveryParty):
    """Every party told of its database by the environment of its commands, from `init` on."""

    def __init__(self, folder: Path, system: OwnSystem, server: str) -> None:
        self.urls: dict[str, str] = {}
        self.server = server
        super().__init__(folder, system)
        for party in self.parties:
            party.environment[NAME] = self.find_url(party.id)

    def find_url(self, party: str) -> str:
        return self.urls.setdefault(party, create_database(self.server))

    def _init_broker(self, port: int) -> None:
        with patch.dict(os.environ, {NAME: self.find_url(self.broker.id)}):
            super()._init_broker(port)


@pytest.fixture(scope="module")
def covenant(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[ByEnvironment]:
    system = OwnSystem(tmp_path_factory.mktemp("own"))
    for place, bsn in enumerate(BSNS[:2]):
        system.add(f"K-{place}", bsn, f"Jansen{place}", "04-05-2012")
    made = ByEnvironment(tmp_path_factory.mktemp("covenant"), system, postgres_url)
    with made:
        yield made
    for url in made.urls.values():
        drop_database(postgres_url, url)


def test_every_party_works_and_keeps_nothing_in_a_file(covenant: ByEnvironment) -> None:
    with covenant.connect("youth-help") as source:
        assert source.sync(rq.Sync(professional=NOOR)).registered == 2
    with covenant.connect("social-team") as team:
        team.open_occasion(opening("A-1", member("S-1", 0)))
        (pointer,) = team.ask_who_is_involved(ask("A-1", "S-1")).results[0].pointers
        client = rq.ClientRef(
            client="S-1", record=find_record(0), family_name="Jansen0", birth_date=BORN
        )
        got = team.ask_what_is_known(known("A-1", client, pointer.pointer, "status"))
        assert got.failure is None
    for party in covenant.parties:
        run_command(party.command, "status", "--home", str(party.home))
        assert not (party.home / "database").exists(), party.id
    held = {party.id: list_filled(covenant.urls[party.id]) for party in covenant.parties}
    assert {"log_entries", "involvements"} <= held[covenant.broker.id]
    assert {"open_partner", "usage"} <= held[covenant.key_holder.id]
    assert {"evidence", "pointers"} <= held[covenant.partners["social-team"].id]
    assert {"evidence", "gateway_orders"} <= held[covenant.partners["youth-help"].id]
    assert held[covenant.portal.id] == set()
    until = time.monotonic() + 90
    while "followed" not in list_filled(covenant.urls[covenant.witness.id]):
        assert time.monotonic() < until, "the witness kept nothing"
        time.sleep(0.2)


def list_filled(url: str) -> set[str]:
    """Return the tables that hold something."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {
            name
            for name in inspect(connection).get_table_names()
            if connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first()
        }
    engine.dispose()
    return found


def test_commands_that_open_the_database_find_it(covenant: ByEnvironment, tmp_path: Path) -> None:
    """Those that need the party stopped are told the same way."""
    for party in (covenant.broker, covenant.partners["youth-help"], covenant.key_holder):
        assert party.stop() == 0
        with patch.dict(os.environ, {NAME: covenant.urls[party.id]}):
            run_command("database", "migrate", "--home", str(party.home))
        party.restart()
    with covenant.connect("social-team") as team:
        assert team.ask_who_is_involved(ask("A-1", "S-1")).results[0].pointers
    assert not list(covenant.folder.rglob("party.sqlite"))
