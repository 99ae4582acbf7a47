"""A whole covenant moves from its files to a server, and outlives that server's restarts."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Self

import pytest

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient, ConnectorProblem
from datwat.cli import run as run_datwat
from tests.conftest import build_database_url, execute_on_server
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.connectors.client.test_end_to_end import BORN, NOOR, RIGHTS, ask, known, member, opening
from tests.connectors.client.test_end_to_end import record as find_record
from tests.parties import Covenant, PartnerSpec, Party, run_command
from tests.postgres import OwnServer, own_server

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

_BACK_SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as made:
        yield made


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covenant]:
    system = OwnSystem(tmp_path_factory.mktemp("own"))
    for place in range(4):
        system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
    )
    with Covenant(tmp_path_factory.mktemp("covenant"), partners) as made:
        with made.connect("youth-help") as source:
            assert source.sync(rq.Sync(professional=NOOR)).state == "finished"
        yield made


def ask_all(team: ConnectorClient) -> tuple[Any, ...]:
    """Return who is involved and what is known, as the team is told it."""
    (pointer,) = team.ask_who_is_involved(ask("A-1", "S-1")).results[0].pointers
    client = rq.ClientRef(
        client="S-1", record=find_record(0), family_name="Jansen0", birth_date=BORN
    )
    got = team.ask_what_is_known(known("A-1", client, pointer.pointer, "status", "contact"))
    assert got.failure is None
    return (pointer.kind, pointer.contact, got.values)


def verify_log(covenant: Covenant) -> int:
    """Verify the whole log from outside, and return its size."""
    url = f"{covenant.broker.url()}/v1/log"
    pin = str(run_command("trust", "show", str(covenant.list_path))["hash"])
    pinned = ("--trust-list", str(covenant.list_path), "--pin", pin)
    assert run_command("log", "verify", url, *pinned)["verified"] is True
    return int(run_command("broker", "status", "--home", str(covenant.broker.home))["log_size"])


def test_every_party_moves_and_answers_the_same(covenant: Covenant, server: OwnServer) -> None:
    with covenant.connect("social-team") as team:
        team.open_occasion(opening("A-1", member("S-1", 0)))
        before = ask_all(team)
    size = verify_log(covenant)
    for number, party in enumerate(covenant.parties):
        name = f"party_{number}"
        execute_on_server(server.url, f"CREATE DATABASE {name}")
        url = build_database_url(server.url, name)
        assert "already running" in refuse("database", "copy", str(party.home), url)
        assert party.stop() == 0
        move(party, url, in_settings=number % 2 == 0)
        party.begin()
    for party in covenant.parties:
        party.await_ready()
        assert not list((party.home / "database").glob("*-wal")), "the file is in use still"
    with covenant.connect("social-team") as team:
        assert ask_all(team) == before
    assert verify_log(covenant) >= size + 2


def move(party: Party, url: str, *, in_settings: bool) -> None:
    """Copy a stopped party's database, and name it by settings.toml or by the environment."""
    copied = run_command("database", "copy", str(party.home), url, *["--switch"][:in_settings])
    assert copied["verified"] is True
    assert copied["rows"] > 0 or party.command == "keyholder"
    if not in_settings:
        party.environment["DATWAT_DATABASE_URL"] = url


def refuse(*arguments: str) -> str:
    said = io.StringIO()
    with redirect_stderr(said):
        assert run_datwat([*arguments]) == 1
    assert "Traceback" not in said.getvalue()
    return said.getvalue()


class Asking:
    """Applications that ask without end while the server goes and comes."""

    def __init__(self, covenant: Covenant) -> None:
        self._covenant = covenant
        self._is_over = threading.Event()
        self.answered = 0
        self.codes: set[str] = set()
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def await_more(self) -> None:
        wanted, until = self.answered + 6, time.monotonic() + _BACK_SECONDS
        while self.answered < wanted:
            assert time.monotonic() < until, f"no answer after {_BACK_SECONDS} s: {self.codes}"
            time.sleep(0.02)

    def _run(self) -> None:
        with self._covenant.connect("social-team") as team:
            while not self._is_over.is_set():
                try:
                    found = team.ask_who_is_involved(ask("A-1", "S-1")).results[0]
                except ConnectorProblem as problem:
                    self.codes.add(problem.code)
                    time.sleep(0.05)
                    continue
                if len(found.pointers) != 1 or found.entry is None:
                    self.wrong.append(repr(found))
                self.answered += 1


def test_the_server_is_stopped_and_started_under_load(
    covenant: Covenant, server: OwnServer, tmp_path: Path
) -> None:
    size = verify_log(covenant)
    with Asking(covenant) as asking:
        for _ in range(2):
            asking.await_more()
            server.stop()
            time.sleep(0.5)
            server.start()
            asking.await_more()
    assert asking.wrong == []
    assert "internal_error" not in asking.codes, asking.codes
    assert all(party.process and party.process.poll() is None for party in covenant.parties)
    assert verify_log(covenant) >= size + asking.answered
    for party in covenant.parties:
        said = party.log.read_text("utf-8")
        assert "Traceback" not in said
        assert '"event":"fault"' not in said.replace(" ", "")
