"""A second process where there can be one only is refused in words, before anything is opened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from broker.adapters.database import migrate
from broker.adapters.sharing_store import SharingSession, hold_alone
from broker.cli import app
from broker.sharing import ProcessAloneError, ProcessRunsError, Sharing
from datwat.party.database import open_engine
from datwat.party.database_errors import DatabaseNotDurableError
from datwat.party.postgres import MAX_OVERFLOW, POOL_SIZE
from tests.conftest import open_database
from tests.exchange.world import World
from tests.postgres import OwnServer, own_server


@pytest.fixture
def database(postgres_url: str, postgres_template: str) -> Iterator[str]:
    with open_database(postgres_url, postgres_template) as url:
        yield url


def serve(home: Path, process: int) -> BaseException | None:
    arguments = ["serve", "--home", str(home), "--process", str(process)]
    return CliRunner().invoke(app, arguments).exception


def test_a_second_process_on_sqlite_is_refused(tmp_path: Path) -> None:
    error = serve(World(tmp_path).home, 2)
    assert isinstance(error, ProcessAloneError)
    assert "database_url and ratchet_url" in str(error)


@pytest.mark.postgres
def test_a_second_process_beside_a_ratchet_in_a_file_is_refused(
    tmp_path: Path, postgres_url: str
) -> None:
    with open_database(postgres_url) as url:
        assert isinstance(serve(World(tmp_path, database_url=url).home, 2), ProcessAloneError)


@pytest.mark.postgres
def test_a_number_is_taken_once_and_who_works_alone_takes_them_all(database: str) -> None:
    engine = open_engine(database)
    first, second = SharingSession(engine, 1), SharingSession(engine, 2)
    first.open()
    second.open()
    with pytest.raises(ProcessRunsError, match="Process 2"):
        SharingSession(engine, 2).open()
    polled = first.poll()
    assert polled.keeps_house
    assert polled.holders == ((1, 2), 1)
    assert not second.poll().keeps_house
    with pytest.raises(ProcessRunsError), hold_alone(database):
        pass
    first.close()
    assert second.poll().keeps_house
    second.close()
    with hold_alone(database), pytest.raises(ProcessRunsError):
        first.open()
    first.open()
    assert first.poll().keeps_house
    first.close()
    engine.dispose()


@pytest.mark.postgres
def test_a_number_rises_with_what_changes_it_or_not_at_all(database: str) -> None:
    engine = open_engine(database)
    session, other = SharingSession(engine, 1), SharingSession(engine, 2)
    before = session.poll().numbers
    other.poll(["policy"])
    after = session.poll().numbers
    assert after["policy"] == before.get("policy", 0) + 1
    assert other.poll(["policy"]).numbers["policy"] == after["policy"] + 1
    assert session.poll().numbers["policy"] == after["policy"] + 1
    session.close()
    other.close()
    engine.dispose()


@pytest.mark.postgres
async def test_a_full_pool_and_busy_threads_make_nobody_late(database: str) -> None:
    engine, loop = open_engine(database), asyncio.get_running_loop()
    session, release = SharingSession(engine, 1), threading.Event()
    session.open()
    sharing = Sharing(1, session, is_shared=True)
    with ExitStack() as lent:
        for _ in range(POOL_SIZE + MAX_OVERFLOW):
            lent.enter_context(engine.connect())
        sleeping = [loop.run_in_executor(None, release.wait, 60.0) for _ in range(64)]
        running = asyncio.ensure_future(sharing.run())
        try:
            for _ in range(60):  # twice as long as who runs is counted after
                await asyncio.sleep(0.1)
                assert sharing.is_current
                assert sharing.keeps_house
        finally:
            release.set()
            running.cancel()
            await asyncio.gather(running, *sleeping, return_exceptions=True)
    sharing.close()
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_server_that_may_lose_what_it_took_is_noticed_while_it_runs(
    own: OwnServer, setting: str
) -> None:
    with open_database(own.url) as url:
        engine = open_engine(url)
        migrate(engine)
        session = SharingSession(engine, 1)
        session.open()
        sharing = Sharing(1, session)  # alone, too
        running = asyncio.ensure_future(sharing.run())
        await await_current(sharing, wanted=True)
        change(own, f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")
        await await_current(sharing, wanted=False)
        with pytest.raises(DatabaseNotDurableError):
            await sharing.require_current()
        change(own, f"ALTER SYSTEM SET {setting} = on", "SELECT pg_reload_conf()")
        await await_current(sharing, wanted=True)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        sharing.close()
        engine.dispose()


async def await_current(sharing: Sharing, *, wanted: bool) -> None:
    async with asyncio.timeout(20):
        while sharing.is_current is not wanted:  # noqa: ASYNC110 - a look is of a thread
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


def change(server: OwnServer, *statements: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
