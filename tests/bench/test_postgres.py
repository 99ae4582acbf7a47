"""The bench on PostgreSQL: the broker's own rows, all processes counted, an absence said."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from bench.cells import Cell, derive_between, list_cells, measure_cells
from bench.figures import YARDSTICK, Figure
from bench.meter import Group, measure, read_cpu
from bench.postgres import MeansMissingError, find_pid, open_filled, require_means
from broker.adapters.database import open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import DataSubject
from broker.adapters.secrets import load_secrets
from broker.adapters.stores import build_registers
from broker.adapters.tables import InvolvementRecord, PseudonymRecord, table_of
from broker.settings import BrokerSettings
from datwat.party.settings import load_settings
from tests.bench.test_seed import make_home

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {"debt-counselling", "income", "municipality-wmo"}
KINDS = {"debt_counselling", "income_support", "wmo_support"}
INQUIRY = "inquiry, 3 pointers"


@pytest.mark.postgres
def test_the_rows_are_what_the_broker_itself_reads(postgres_url: str, tmp_path: Path) -> None:
    """Twice: made, and then from what was kept, by a broker with other keys of its own."""
    for place in ("first", "second"):
        home = make_home(tmp_path / place)
        with open_filled(home, tmp_path / "cache", 30):
            check_rows(home)
    (kept,) = (tmp_path / "cache").iterdir()
    assert (kept / "data" / "PG_VERSION").exists()
    assert not (kept / "data" / "postmaster.pid").exists()


def check_rows(home: Path) -> None:
    engine = open_engine(load_settings(BrokerSettings, home).database)
    assert engine.dialect.name == "postgresql"
    store = SqlLogStore(engine)
    registers = build_registers(load_secrets(home).row_key)
    with engine.connect() as connection:
        for model, count in ((DataSubject, 10), (PseudonymRecord, 10), (InvolvementRecord, 30)):
            counted = connection.execute(select(func.count()).select_from(table_of(model)))
            assert counted.scalar() == count
        head = store.find_head(connection)
        assert head is not None
        assert head.origin == "bench.example/log/1"
        ids = connection.execute(select(table_of(DataSubject).c.subject_id)).scalars().all()
        for subject_id in ids:
            shown = registers.involvements.pointers_of(
                connection, subject_id, FUNCTIONS, KINDS, datetime.now(UTC)
            )
            assert {held.kind for held in shown} == KINDS
    store.close()
    engine.dispose()


@pytest.mark.postgres
def test_the_servers_work_is_counted_whichever_of_its_processes_did_it(
    postgres_url: str, tmp_path: Path
) -> None:
    home = make_home(tmp_path / "home")
    with open_filled(home, tmp_path / "cache", 30) as server:
        pids = {"database": Group((find_pid(server),), with_children=True)}
        with measure(pids) as usage:
            for _ in range(3):  # each connection is a process that ends again
                with psycopg.connect(server.url) as connection:
                    connection.execute("SELECT count(*) FROM generate_series(1, 2000000)")
        alone = read_cpu(find_pid(server))
    assert usage.cpu["database"] > 0.2
    assert alone < usage.cpu["database"] / 2


def test_a_machine_without_the_means_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    require_means("sqlite", 1)
    monkeypatch.setattr("bench.postgres.shutil.which", lambda _: None)
    monkeypatch.setattr("bench.postgres.Path.glob", lambda *_: iter(()))
    require_means("sqlite", 1)
    with pytest.raises(MeansMissingError, match="has no PostgreSQL server"):
        require_means("postgresql", 1)
    with pytest.raises(MeansMissingError, match="need PostgreSQL"):
        require_means("sqlite", 2)


def test_the_command_says_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    """With a PATH and a file system in which no server program is."""
    out = tmp_path / "bench.json"
    program = (
        "import sys, pathlib, shutil\n"
        "shutil.which = lambda name, **more: None\n"
        "real = pathlib.Path.glob\n"
        "pathlib.Path.glob = lambda self, pattern: iter(()) if 'initdb' in pattern"
        " else real(self, pattern)\n"
        "from bench.__main__ import main\n"
        f"sys.argv = ['bench', '--database', 'postgresql', '--out', {str(out)!r}]\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "has no PostgreSQL server" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("wrong", [["--pointers", "0"], ["--rate", "-1"], ["--database", "x"]])
def test_wrong_options_are_told(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "bench", *wrong]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 2
    assert wrong[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_the_matrix_has_each_database_with_each_size_and_several_brokers_once() -> None:
    cells = list_cells([10_000, 1_000_000, 10_000_000], [1, 2, 4])
    assert [cell.name for cell in cells] == [
        "SQLite, 10k pointers, one broker",
        "SQLite, 1M pointers, one broker",
        "SQLite, 10M pointers, one broker",
        "PostgreSQL, 10k pointers, one broker",
        "PostgreSQL, 1M pointers, one broker",
        "PostgreSQL, 10M pointers, one broker",
        "PostgreSQL, 1M pointers, 2 brokers",
        "PostgreSQL, 1M pointers, 4 brokers",
    ]


def build_cell(cell: Cell, cpu: float, rate: float) -> list[Figure]:
    own = [
        Figure(YARDSTICK, "CPU", 0.1, "ms"),
        Figure(INQUIRY, "broker CPU", cpu, "ms"),
        Figure(INQUIRY, "OPA CPU", 1.0, "ms"),
        Figure(INQUIRY, "capacity, 16 at once", rate, "/s"),
    ]
    if cell.database == "postgresql":
        own.append(Figure(INQUIRY, "database CPU", 2.0, "ms"))
    return [Figure(f.group, f.name, f.value, f.unit, cell=cell.name) for f in own]


def test_what_lies_between_the_cells() -> None:
    cells = list_cells([10_000, 10_000_000], [1, 2])
    prices = {
        ("sqlite", 10_000, 1): (3.0, 200.0),
        ("sqlite", 10_000_000, 1): (4.0, 180.0),
        ("postgresql", 10_000, 1): (3.0, 150.0),
        ("postgresql", 10_000_000, 1): (3.0, 150.0),
        ("postgresql", 10_000_000, 2): (3.6, 270.0),
    }
    figures = [
        figure
        for cell in cells
        for figure in build_cell(cell, *prices[cell.database, cell.pointers, cell.brokers])
    ]
    found = {figure.name: figure.value for figure in derive_between(cells, figures)}
    assert found["inquiry's CPU with 10M pointers / 10k, SQLite"] == pytest.approx(5 / 4)
    assert found["inquiry's CPU with 10M pointers / 10k, PostgreSQL"] == pytest.approx(1)
    assert found["inquiry's CPU on PostgreSQL / SQLite, 10k pointers"] == pytest.approx(6 / 4)
    assert found["inquiries a second with 2 brokers / one"] == pytest.approx(270 / 150)
    assert found["inquiry's CPU with 2 brokers / one"] == pytest.approx(6.6 / 6)


def test_what_there_are_no_means_for_is_left_out_and_said() -> None:
    cells = list_cells([10_000], [1, 4])

    def measure_one(cell: Cell) -> list[Figure]:
        if cell.brokers > 1:
            raise MeansMissingError("four are not there.")
        return build_cell(cell, 3.0, 100.0)

    figures, left_out = measure_cells(cells, measure_one)
    assert left_out == ["PostgreSQL, 10k pointers, 4 brokers: four are not there."]
    assert {figure.cell for figure in figures} == {"", *(cell.name for cell in cells[:2])}
    assert not any("4 brokers" in figure.name for figure in figures)
