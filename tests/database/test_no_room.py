"""The server has no room left: on its disk, or for another connection; then it has it again.

Whole (`make test-long`): the disk is full ten times.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from broker.adapters.database import migrate, open_engine
from broker.audit.log import Log
from broker.audit.records import Job, LogError, Statement
from datwat.party.database_errors import find_away
from datwat.party.postgres import MAX_OVERFLOW, POOL_SIZE
from demo.covenant import find_ports
from tests import postgres
from tests.audit.conftest import AT, LogWorld
from tests.conftest import build_database_url, execute_on_server
from tests.database.test_restarted_under_load import Load, require_kept
from tests.postgres import OwnServer, own_server

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]

_run = postgres._run  # noqa: SLF001 - as the user of the servers
_LEFT = 1_500_000
_FULL_SECONDS = 90.0
_POOL = POOL_SIZE + MAX_OVERFLOW


@contextmanager
def small_disk(home: Path) -> Iterator[Path]:
    """Yield a folder on a file system of its own with 48 MB; skips where none can be mounted."""
    folder = home / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        shutil.chown(folder, "postgres")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def server_on(place: str) -> Iterator[tuple[OwnServer, Path, str]]:
    """Yield a server, the folder of the small disk, and the URL of a database with `place` there.

    "wal": the server's journal lies on the small disk; "tables": the database's own files do.
    """
    home = Path(tempfile.mkdtemp(prefix="datwat-full-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if os.geteuid() == 0:
            shutil.chown(home, "postgres")
        folder = stack.enter_context(small_disk(home))
        (port,) = find_ports(1)
        server = OwnServer(home, port)
        journal = ("-X", str(folder / "wal"), "--wal-segsize", "1") if place == "wal" else ()
        access = ("-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
        _run("initdb", "-D", str(home / "data"), *access, *journal)
        stack.callback(_stop, server)
        server.start()
        where = ""
        if place == "tables":
            (folder / "tables").mkdir()
            shutil.chown(folder / "tables", "postgres")
            execute_on_server(server.url, f"CREATE TABLESPACE small LOCATION '{folder / 'tables'}'")
            where = "TABLESPACE small"
        execute_on_server(server.url, f"CREATE DATABASE broker {where}")
        yield server, folder, build_database_url(server.url, "broker")


def _stop(server: OwnServer) -> None:
    with suppress(subprocess.CalledProcessError):
        server.stop()


def fill(folder: Path) -> Path:
    """Leave little room on the disk that `folder` is; return the file that takes the rest."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - _LEFT)
    return filler


def start_where_it_ended(server: OwnServer) -> None:
    """Start the server until it answers: one that is still ending cannot be started yet."""
    until = time.monotonic() + _FULL_SECONDS
    while True:
        with suppress(subprocess.CalledProcessError):
            server.start()
        try:
            psycopg.connect(server.url).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until, "the server does not answer again"
        else:
            return


@pytest.mark.long
@pytest.mark.parametrize("place", ["tables", "wal"])
async def test_a_full_disk_loses_nothing_acknowledged(
    place: str, tmp_path: Path, whole: bool
) -> None:
    with server_on(place) as (server, folder, url):
        engine = open_engine(url)
        migrate(engine)
        world = LogWorld(engine, tmp_path)
        load = Load(world, world.start())
        running = asyncio.create_task(load.run())
        for _ in range(10 if whole else 1):
            await load.await_more()
            refused, filler = load.refused, fill(folder)
            async with asyncio.timeout(_FULL_SECONDS):
                while load.refused < refused + 20:  # noqa: ASYNC110 - the log tells writers alone
                    await asyncio.sleep(0.05)
            filler.unlink()
            # With no room for its journal the server may have ended: it is started, as a service.
            await asyncio.to_thread(start_where_it_ended, server)
            await load.await_more()
        load.end()
        await running
        require_kept(world, load)
        engine.dispose()


def test_no_place_in_the_pool_is_said_in_time() -> None:
    with own_server() as server:
        engine = open_engine(server.url)
        with ExitStack() as stack:
            for _ in range(_POOL):
                stack.enter_context(engine.connect())
            began = time.monotonic()
            with pytest.raises(SQLAlchemyError) as caught, engine.connect():
                pass
            assert find_away(caught.value) is not None
            assert 4.0 < time.monotonic() - began < 30.0
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()


async def test_no_place_at_the_server_is_said_in_time(tmp_path: Path) -> None:
    with own_server("max_connections=12") as server:
        engine = open_engine(server.url)
        migrate(engine)
        world = LogWorld(engine, tmp_path)
        log = world.start()
        assert await _state(log, b"first") == 0
        engine.dispose()
        with ExitStack() as stack:
            (first, *_) = _take_all(server, stack)
            first.execute(
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"  # until it is gone
                " WHERE application_name = 'datwat'"
            )
            _take_all(server, stack)
            began = time.monotonic()
            with pytest.raises(LogError):
                await _state(log, b"refused")
            assert time.monotonic() - began < 30.0
        assert await _state(log, b"last") in {1, 2}
        assert world.failures == []
        world.stop()
        engine.dispose()


def _take_all(server: OwnServer, stack: ExitStack) -> list[psycopg.Connection[Any]]:
    """Take every place that the server has."""
    taken = []
    with suppress(psycopg.OperationalError):
        while True:
            taken.append(psycopg.connect(server.url, autocommit=True))
            stack.callback(taken[-1].close)
    return taken


async def _state(log: Log, document: bytes) -> int:
    return (await log.append(Job(lambda _: [Statement(document, AT)]))).entries[0].index
