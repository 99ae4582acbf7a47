"""A broker's database is copied whole, log and all, or the target is never started from."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import MetaData, insert, inspect, select, text

from broker.adapters.sharing_store import SharingSession
from broker.database import DATABASE
from broker.sharing import ProcessRunsError
from connectors.database import DATABASE as CONNECTOR
from connectors.tables import pointers, sync_runs
from datwat.cli import run as run_datwat
from datwat.party import database_cli, database_copy
from datwat.party.database import migrate, open_engine
from datwat.party.database_copy import copying
from datwat.party.database_errors import DatabaseUnfinishedError
from datwat.party.running import HeldStoppedError, holding_process
from datwat.party.settings import change_settings
from keyholder.tables import MIGRATIONS as OTHER_MIGRATIONS
from tests.conftest import open_database
from tests.exchange.world import (
    Household,
    World,
    bsns,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
)
from tests.postgres import OwnServer, own_server

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.sqlite_only("copies from SQLite to a server of its own"),
]
NUMBERS = bsns()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, Household]]:
    """Return a world in which somebody was registered and asked about, and that is stopped."""
    world = World(tmp_path_factory.mktemp("lived"))
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        bsn = next(NUMBERS)
        await register(running, "debt-counselling", bsn, "debt_counselling")
        household = await open_household(running, bsn)
        assert inquiry_part(await inquire(running, household)).pointers
        await running.broker.publishing.tag_roots.state()
    yield world, household


@pytest.fixture
def home(lived: tuple[World, Household], tmp_path: Path) -> Path:
    """Return a home of one's own, as that broker's was when it stopped."""
    return Path(shutil.copytree(lived[0].home, tmp_path / "broker"))


@pytest.fixture
def target(postgres_url: str) -> Iterator[str]:
    with open_database(postgres_url) as url:
        yield url


def copy(home: Path, url: str, *options: str) -> int:
    return run_datwat(["database", "copy", str(home), url, "--json", *options])


def read_rows(url: str) -> dict[str, list[str]]:
    """Return every row of every table, as text."""
    engine = open_engine(url)
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            rows = connection.execute(select(table)).all()
            found[table.name] = sorted(repr(tuple(row)) for row in rows)
    engine.dispose()
    return found


async def test_every_row_is_copied_and_the_broker_goes_on(
    lived: tuple[World, Household],
    home: Path,
    target: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, household = lived
    before = read_rows(f"sqlite:///{home / 'database' / 'party.sqlite'}")
    assert len(before["log_entries"]) > 2
    assert copy(home, target, "--switch") == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert (result["verified"], result["switched"], result["resumed"]) == (True, True, 0)
    assert result["log_size"] == len(before["log_entries"])
    assert result["tag_root_size"] > 0
    assert "log_entries" in told.err
    assert read_rows(target) == before
    moved, world.home = world.home, home
    try:
        async with AsyncExitStack() as stack:
            running = await open_world(world, stack)
            assert running.broker.database.dialect.name == "postgresql"
            assert running.broker.log.size == result["log_size"]
            assert inquiry_part(await inquire(running, household)).pointers
            # Numbers that the database gives out go on after those that were copied.
            await register(running, "youth-help", next(NUMBERS), "youth_help")
            assert running.broker.log.size == result["log_size"] + 2
    finally:
        world.home = moved
    # Once it is in use, it is no place to copy to, nor a thing to copy to itself.
    assert copy(home, target) == 1
    assert "FROM is this database already" in capsys.readouterr().err
    assert copy(moved, target) == 1
    assert "not empty" in capsys.readouterr().err


class StoppedError(Exception):
    """Somebody stopped the copy."""


async def test_a_copy_cut_short_is_not_started_from(
    home: Path, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_copy, "_AT_ONCE", 2)
    cut_short(home, target)
    engine = open_engine(target)
    with pytest.raises(DatabaseUnfinishedError):
        migrate(engine, DATABASE.migrations)
    # Another source may not go on with it.
    change(home, "DELETE FROM log_tag_roots")
    assert copy(home, target) == 1
    assert "the source changed since" in capsys.readouterr().err
    engine.dispose()


async def test_a_copy_goes_on_where_it_was(
    home: Path, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_copy, "_AT_ONCE", 2)
    cut_short(home, target)
    assert copy(home, target) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verified"]
    assert 0 < result["resumed"] < result["rows"]
    assert read_rows(target) == read_rows(f"sqlite:///{home / 'database' / 'party.sqlite'}")


async def test_a_row_that_was_changed_underway_is_found(
    home: Path, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_copy, "_AT_ONCE", 2)
    cut_short(home, target)
    engine = open_engine(target)
    with engine.begin() as connection:
        connection.execute(text("UPDATE log_entries SET at = at + 1 WHERE idx = 0"))
    assert copy(home, target) == 1
    assert "log_entries did not arrive as it was" in capsys.readouterr().err
    with pytest.raises(DatabaseUnfinishedError):
        migrate(engine, DATABASE.migrations)
    engine.dispose()


def cut_short(home: Path, target: str) -> None:
    """Begin a copy, and stop it after a batch of the log."""
    source, to = open_engine(f"sqlite:///{home / 'database' / 'party.sqlite'}"), open_engine(target)

    def stop(table: str, rows: int, _total: int) -> None:
        if table == "log_entries" and rows:
            raise StoppedError

    with pytest.raises(StoppedError), copying(source, to, DATABASE.migrations, "broker", stop):
        pass
    source.dispose()
    to.dispose()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        # Seen by the tree, by the tree's own nodes, and by the tags.
        ("UPDATE log_entries SET entry = zeroblob(66) WHERE idx = 1", "log"),
        ("DELETE FROM log_tags", "tags"),
    ],
)
async def test_a_source_whose_log_does_not_hold_is_not_called_verified(
    home: Path, target: str, capsys: pytest.CaptureFixture[str], statement: str, said: str
) -> None:
    change(home, statement)
    assert copy(home, target, "--switch") == 1
    assert said in capsys.readouterr().err
    assert "database_url" not in (home / "settings.toml").read_text("utf-8")


def change(home: Path, statement: str) -> None:
    engine = open_engine(f"sqlite:///{home / 'database' / 'party.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


async def test_what_cannot_be_copied_is_said_and_the_target_left_alone(
    home: Path, target: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(said: str, url: str = target) -> None:
        assert copy(home, url) == 1
        assert said in capsys.readouterr().err

    refused("TO must be postgresql", f"sqlite:///{home / 'other.sqlite'}")
    assert not (home / "other.sqlite").exists()
    refused("No PostgreSQL server answers", "postgresql://nobody@127.0.0.1:1/none")
    change(home, "UPDATE alembic_version SET version_num = '9999'")
    refused("newer version")
    with monkeypatch.context() as patch:
        patch.setenv("DATWAT_DATABASE_URL", make_other_party(home))
        refused("another party's database")
    assert run_datwat(["database", "copy", "postgresql://x:kept-secret@host/x", str(home)]) == 1
    said = capsys.readouterr().err
    assert "FROM is a home folder" in said
    assert "kept-secret" not in said
    shutil.rmtree(home / "database")
    refused("holds no database yet")
    assert inspect_tables(target) == []


def make_other_party(home: Path) -> str:
    url = f"sqlite:///{home / 'key-holder.sqlite'}"
    engine = open_engine(url)
    migrate(engine, OTHER_MIGRATIONS)
    engine.dispose()
    return url


def inspect_tables(url: str) -> list[Any]:
    engine = open_engine(url)
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found


async def test_a_broker_that_runs_is_not_copied(
    lived: tuple[World, Household], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        await open_world(lived[0], stack)
        assert copy(lived[0].home, target) == 1
    assert "ratchet" in capsys.readouterr().err.lower()
    assert inspect_tables(target) == []


async def test_a_party_does_not_start_from_a_home_that_is_copied(
    home: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def start(_table: str, _rows: int, _total: int) -> None:
        with pytest.raises(HeldStoppedError), holding_process(home, 1):
            pass
        refused.append(True)

    monkeypatch.setattr(database_cli, "_report", start)
    assert copy(home, target) == 0
    assert refused


@pytest.fixture
def other_server(postgres_url: str) -> Iterator[OwnServer]:
    """Return another server than the target's (which is asked for first: it may be absent)."""
    del postgres_url
    with own_server() as server:
        yield server


async def test_a_broker_on_a_server_is_kept_out_while_it_is_copied(
    home: Path,
    target: str,
    other_server: OwnServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_database(target) as source:
        assert copy(home, source, "--switch") == 0
        # It may have several processes now, so that its ratchet keeps none of them out.
        change_settings(home, {"ratchet_url": other_server.url})
        engine = open_engine(source)
        process = SharingSession(engine, 2)  # on another machine: nothing of it is in this home
        process.open()
        assert copy(home, target) == 1
        assert "process_runs" in capsys.readouterr().err
        assert inspect_tables(target) == []
        process.close()
        refused = []

        def start(table: str, _rows: int, _total: int) -> None:
            if table == "log_entries":
                with pytest.raises(ProcessRunsError):
                    process.open()
                refused.append(table)

        monkeypatch.setattr(database_cli, "_report", start)
        assert copy(home, target) == 0
        assert refused
        process.open()
        process.close()
        engine.dispose()


async def test_it_is_said_which_of_the_two_does_not_answer(
    home: Path,
    target: str,
    other_server: OwnServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert copy(home, other_server.url, "--switch") == 0
    capsys.readouterr()

    def read_error(url: str = target) -> dict[str, Any]:
        assert copy(home, url) == 1
        error: dict[str, Any] = json.loads(capsys.readouterr().err.splitlines()[-1])["error"]
        return error

    error = read_error("postgresql://nobody@127.0.0.1:1/none")
    assert (error["code"], error["place"]) == ("database_unreachable", "TO")

    def stop(table: str, _rows: int, _total: int) -> None:
        if table == "log_entries":
            other_server.stop()

    with monkeypatch.context() as patch:
        patch.setattr(database_cli, "_report", stop)
        assert read_error()["place"] == "FROM"
    # It is not there from the start; the target is, and would let us in.
    error = read_error()
    assert (error["code"], error["place"]) == ("database_unreachable", "FROM")


async def test_numbers_go_on_after_those_that_were_copied(tmp_path: Path, target: str) -> None:
    source, to = open_engine(f"sqlite:///{tmp_path / 'connector.sqlite'}"), open_engine(target)
    migrate(source, CONNECTOR.migrations)
    with source.begin() as connection:
        for number in (1, 2, 7):
            row = {"number": number, "client": f"K-{number}", "reference": bytes([number]) * 16}
            connection.execute(insert(pointers), {**row, "shown_at": 1})
    with copying(source, to, CONNECTOR.migrations, "connector", lambda *_: None) as copied:
        assert copied.rows == 3
    with to.begin() as connection:
        row = {"client": "K-8", "reference": bytes(16), "shown_at": 1}
        new = connection.execute(insert(pointers).returning(pointers.c.number), row).scalar()
        first = connection.execute(insert(sync_runs).returning(sync_runs.c.run), RUN).scalar()
    assert (new, first) == (8, 1)
    source.dispose()
    to.dispose()


RUN = {"started_at": 1, "state": "running", "total": 0}
RUN |= dict.fromkeys(("registered", "reconfirmed", "ended"), 0)
