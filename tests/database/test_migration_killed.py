"""A migration that is killed half-way leaves nothing; several at once are one.

Whole (`make test-long`): killed after each of its statements.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from broker.adapters.database import migrate, open_engine
from tests.conftest import open_database
from tests.exchange.world import World
from tests.faults.world import ROOT

_OLD = "0006"
_AT_ONCE = 4
_SECONDS = 150.0  # a process on a busy machine

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Engine]]:
    """Return a broker's home whose database an older version made, with something in it."""
    if request.param == "sqlite":
        yield from _make_old(tmp_path, f"sqlite:///{tmp_path / 'old.db'}")
        return
    with open_database(request.getfixturevalue("postgres_url")) as url:
        yield from _make_old(tmp_path, url)


def _make_old(folder: Path, url: str) -> Iterator[tuple[Path, Engine]]:
    home = World(folder).home
    engine = open_engine(url)
    migrate(engine, _OLD)
    with engine.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO log_head (id, origin, size, root, delayed_chain_key_sealed)"
                " VALUES (1, 'log.example/log/1', 0, :root, :root)"
            ),
            {"root": bytes(32)},
        )
    os.environ["DATWAT_DATABASE_URL"] = url
    try:
        yield home, engine
    finally:
        del os.environ["DATWAT_DATABASE_URL"]
        engine.dispose()


def begin_migration(home: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.database.killing_migration", "database", "migrate"]
    return subprocess.Popen(
        [*command, "--home", str(home), "--json"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def await_end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Return how a process ended and what it said; one that does not end is killed."""
    with process:
        try:
            said, _ = process.communicate(timeout=_SECONDS)
        finally:
            process.kill()
    return process.returncode, said.decode()


def read_all(engine: Engine) -> dict[str, object]:
    """Return the schema and how many rows each table has."""
    found = inspect(engine)
    with engine.connect() as conn:
        read = {
            table: (
                sorted(str(column["name"]) for column in found.get_columns(table)),
                sorted(str(index["name"]) for index in found.get_indexes(table)),
                conn.scalar(text(f"SELECT count(*) FROM {table}")),
            )
            for table in sorted(found.get_table_names())
        }
        revision = conn.scalars(text("SELECT version_num FROM alembic_version")).all()
    return {**read, "revision": revision}


def test_nothing_is_half_done_and_the_next_one_does_it_all(
    old: tuple[Path, Engine], tmp_path: Path, whole: bool
) -> None:
    home, engine = old
    before = read_all(engine)
    points, killed = _choose_points(whole), 0
    for at in points:
        code, said = await_end(begin_migration(home, KILL_AT=str(at)))
        if code == 0:  # it has fewer statements
            break
        assert code == -signal.SIGKILL, said
        assert read_all(engine) == before, f"after statement {at}"
        killed += 1
    assert killed >= 2
    if read_all(engine) == before:
        code, said = await_end(begin_migration(home))
        assert code == 0, said
    _require_new(engine)


def _choose_points(whole: bool) -> list[int]:
    return list(range(1, 1_000)) if whole else [3, 20]


def test_several_at_once_are_one(old: tuple[Path, Engine]) -> None:
    home, engine = old
    running = [begin_migration(home) for _ in range(_AT_ONCE)]
    for code, said in [await_end(process) for process in running]:
        assert code == 0, said
    _require_new(engine)


def _require_new(engine: Engine) -> None:
    """Assert that the schema is the newest, and that what was there is there."""
    found = read_all(engine)
    assert "pseudonym_rotation" in found
    with engine.connect() as conn:
        assert conn.scalar(text("SELECT origin FROM log_head")) == "log.example/log/1"
    migrate(engine)
    assert read_all(engine) == found
