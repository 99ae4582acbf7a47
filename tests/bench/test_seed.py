from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bench.__main__ import list_test_bsns
from bench.options import read_options
from bench.seed import fill
from broker.adapters.database import open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import DataSubject
from broker.adapters.secrets import load_secrets
from broker.adapters.stores import build_registers
from broker.adapters.tables import InvolvementRecord, PseudonymRecord, table_of
from broker.audit.sealing import Sealing
from tests.databases import read_url
from tests.parties import BROKER_ID, run_command


def make_home(folder: Path) -> Path:
    run_command(
        *("broker", "init", "--home", str(folder), "--id", BROKER_ID, "--name", "Broker"),
        *("--url", "http://127.0.0.1:1", "--origin", "bench.example/log/1"),
        *("--bundle", str(folder / "policy")),
    )
    return folder


@pytest.mark.sqlite_only("the bench fills a file, and bench/postgres.py copies it")
def test_the_rows_are_what_the_broker_itself_reads(tmp_path: Path) -> None:
    first = make_home(tmp_path / "first")
    assert fill(first, tmp_path / "cache", 30) == "made"
    second = make_home(tmp_path / "second")
    assert fill(second, tmp_path / "cache", 30) == "kept"
    secrets, now = load_secrets(second), datetime.now(UTC)
    engine = open_engine(read_url(second))
    store = SqlLogStore(engine)
    registers = build_registers(secrets.row_key)
    functions = {"debt-counselling", "income", "municipality-wmo"}
    kinds = {"debt_counselling", "income_support", "wmo_support"}
    with engine.connect() as connection:
        for model, count in ((DataSubject, 10), (PseudonymRecord, 10), (InvolvementRecord, 30)):
            found = connection.execute(select(func.count()).select_from(table_of(model))).scalar()
            assert found == count
        ids = connection.execute(select(table_of(DataSubject).c.subject_id)).scalars().all()
        keys = Sealing(secrets.kek, store).fetch_keys(connection, ids, now)
        assert set(keys) == set(ids)
        for subject_id in ids:
            shown = registers.involvements.pointers_of(
                connection, subject_id, functions, kinds, now
            )
            assert {held.contact.role for held in shown} == {"Front desk"}
            assert {held.kind for held in shown} == kinds
    store.close()
    engine.dispose()


def test_only_test_numbers_are_used() -> None:
    numbers = list_test_bsns()
    assert len(set(numbers)) == 909
    assert all(number.startswith("99999") for number in numbers)


def test_options() -> None:
    assert read_options([]).pointers == 1_000_000
    assert read_options(["--profile", "--scale", "0.5"]).scale == 0.5
