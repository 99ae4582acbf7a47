from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from datwat.party.database import (
    READ_ONLY,
    DatabaseError,
    DatabaseNotDurableError,
    DatabaseTooNewError,
    find_sqlite_file,
    migrate,
    open_engine,
)
from keyholder.tables import METADATA, MIGRATIONS
from tests.databases import require_held_goes_on
from tests.keyholder.conftest import own_engine

__all__ = ["own_engine"]


def test_the_migrated_schema_is_that_of_the_tables(own_engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    with own_engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    migrate(own_engine, MIGRATIONS)


def test_a_newer_database_is_refused(own_engine: Engine) -> None:
    with own_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNewError):
        migrate(own_engine, MIGRATIONS)


def test_sqlite_is_opened_durably_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "party.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                *("journal_mode", "synchronous", "foreign_keys", "secure_delete"),
                "trusted_schema",
            )
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
    }
    modes = {file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    assert modes == {0}
    assert path.parent.stat().st_mode & 0o077 == 0
    assert find_sqlite_file(f"sqlite:///{path}") == path


def test_a_held_connection_goes_on_after_a_commit_that_failed(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'one.sqlite'}")
    require_held_goes_on(engine)


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    reader = engine.execution_options(**{READ_ONLY: True})
    with engine.begin() as writing:
        writing.execute(text("INSERT INTO t VALUES (1)"))
        with reader.begin() as reading:
            assert reading.execute(text("SELECT count(*) FROM t")).scalar() == 0
        # Another writer has to wait, and would fail in the end: it cannot slip in between.
        other = sqlite3.connect(tmp_path / "x.sqlite", timeout=0)
        with pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
        other.close()


@pytest.mark.parametrize("url", ["mysql://x", "nonsense", "sqlite:////proc/none/x.sqlite"])
def test_what_cannot_be_opened_is_said(url: str) -> None:
    with pytest.raises(DatabaseError):
        open_engine(url)


@pytest.mark.postgres
def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="postgres")
    admin = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE ROLE careless LOGIN SUPERUSER"))
        connection.execute(text("ALTER ROLE careless SET synchronous_commit = off"))
        try:
            careless = url.set(username="careless").render_as_string(hide_password=False)
            engine = open_engine(careless)
            with pytest.raises(DatabaseNotDurableError):
                engine.connect()
            engine.dispose()
        finally:
            connection.execute(text("DROP ROLE careless"))
    admin.dispose()


def test_a_server_that_is_not_there() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseError):
        migrate(engine, MIGRATIONS)
