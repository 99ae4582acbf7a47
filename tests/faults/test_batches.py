"""A sync of 1,000 rows whose broker dies half-way, and a source that suddenly misses most."""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.client import requests as rq
from datwat.cli import run as run_datwat
from datwat.protocol.blinding import BsnError, normalise_bsn
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.databases import read_rows
from tests.faults.killing_broker import arm
from tests.faults.world import NOOR, FaultCovenant
from tests.parties import run_command

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-broken")]

ROWS = 1_000
USED = 40


def test_a_source_that_yields_too_little_ends_nothing_unless_allowed(
    broken: FaultCovenant, broken_system: OwnSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    home, size = broken.partners["youth-help"].home, broken.entry_count
    broken_system.run("CREATE TABLE bewaard AS SELECT * FROM klant")
    for kept, code in (("0", "sync_source_empty"), ("19", "sync_ends_too_many")):
        broken_system.run("DELETE FROM klant")
        broken_system.run("INSERT INTO klant SELECT * FROM bewaard LIMIT ?", kept)
        with broken.connect("youth-help") as source:
            state = source.sync(rq.Sync(professional=NOOR))
        assert (state.state, state.failures) == ("stopped", {code: 1})
        assert run_datwat(["connector", "sync", "--home", str(home)]) == 1
        said = capsys.readouterr().err
        assert "--allow-ending" in said
        assert "Traceback" not in said
        assert broken.entry_count == size
    allowed = run_command("connector", "sync", "--home", str(home), "--allow-ending")
    assert (allowed["state"], allowed["ended"], allowed["reconfirmed"]) == ("finished", 21, 19)
    broken_system.run("DELETE FROM klant")
    broken_system.run("INSERT INTO klant SELECT * FROM bewaard LIMIT 19")
    assert broken.entry_count == size + 21


def test_a_thousand_rows_are_registered_once_though_the_broker_dies(
    broken: FaultCovenant, broken_system: OwnSystem
) -> None:
    with sqlite3.connect(broken_system.database) as connection:
        rows = [
            (f"B-{place}", bsn, "Bos", "04-05-2012", "JH", "01-02-2026", "Sam de Boer")
            for place, bsn in enumerate(find_bsns(ROWS))
        ]
        connection.executemany("INSERT INTO klant VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    source = broken.partners["youth-help"]
    held, size = count_involvements(broken), broken.entry_count
    arm(broken.kill_file, "Life._log:after", "register", skip=12)
    with ThreadPoolExecutor(1) as thread, broken.connect("youth-help") as client:
        running = thread.submit(client.sync, rq.Sync(professional=NOOR))
        assert broken.broker.process is not None
        assert broken.broker.process.wait(timeout=60) == -9
        half = count_involvements(broken) - held
        (sent,) = read_rows(source.home, "SELECT rid FROM evidence WHERE state = 'pending'")
        broken.broker.restart()
        state = running.result(timeout=100)
    assert 0 < half < ROWS
    assert (state.state, state.failures) == ("finished", {})
    assert (state.registered, state.total) == (ROWS, ROWS + held)
    assert count_involvements(broken) - held == ROWS
    assert broken.entry_count == size + ROWS
    # The same message went on, under its own id, and each row has its result.
    after = read_rows(source.home, "SELECT state FROM evidence WHERE rid = :rid", rid=sent[0])
    assert after == [("answered",)]
    query = "SELECT count(*), count(DISTINCT reference) FROM involvements WHERE run = :run"
    assert read_rows(source.home, query, run=state.run) == [(ROWS + held, ROWS + held)]


def find_bsns(count: int) -> list[str]:
    """Return test numbers: those of 99999, of which there are 909, then of 99998."""
    found = list(BSNS[USED:])
    for number in range(999_980_000, 999_990_000):
        with contextlib.suppress(BsnError):
            found.append(normalise_bsn(str(number)))
    return found[:count]


def count_involvements(broken: FaultCovenant) -> int:
    query = "SELECT count(*) FROM involvements WHERE ended_at IS NULL"
    return int(read_rows(broken.broker.home, query)[0][0])
