"""The database: what it is set up to, its migrations, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.schema import SchemaItem
from sqlmodel import SQLModel

from broker.adapters import database, log_tables  # noqa: F401 - registers the tables
from datwat.party.database_errors import (
    DatabaseError,
    DatabaseNotDurableError,
    DatabaseTooNewError,
)
from tests.databases import require_held_goes_on

_MINE = {"log_head", "log_entries", "log_nodes", "log_counters", "subjects", "log_quarter_keys"}


def _is_mine(item: SchemaItem, name: str, kind: str, *_: object) -> bool:
    return (name if kind == "table" else cast("Column[object]", item).table.name) in _MINE


def test_the_migrated_schema_is_that_of_the_tables(engine: Engine) -> None:
    options = {"compare_type": True, "include_object": _is_mine}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    before = _read_schema(engine)
    database.migrate(engine)
    assert _read_schema(engine) == before


def _read_schema(engine: Engine) -> dict[str, list[str]]:
    found = inspect(engine)
    return {
        table: [str(column["name"]) for column in found.get_columns(table)]
        for table in found.get_table_names()
    }


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNewError):
        database.migrate(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


@pytest.mark.sqlite_only("its settings")
def test_sqlite_is_set_up_to_lose_nothing_and_to_overwrite(sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                *("journal_mode", "synchronous", "secure_delete", "foreign_keys"),
                "trusted_schema",
            )
        }
    engine.dispose()
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


@pytest.mark.sqlite_only("a COMMIT that fails there leaves the transaction open")
@pytest.mark.parametrize("how", ["BEGIN", database.BEGIN_WRITING])
def test_a_held_connection_goes_on_after_a_commit_that_failed(sqlite_url: str, how: str) -> None:
    engine = database.open_engine(sqlite_url).execution_options(**{database.BEGIN_OPTION: how})
    require_held_goes_on(engine)


def test_a_transaction_is_undone_as_a_whole_and_to_a_savepoint(engine: Engine) -> None:
    insert = text("INSERT INTO log_nodes (level, idx, hash) VALUES (:level, 0, :hash)")
    with engine.begin() as connection:
        connection.execute(insert, {"level": 1, "hash": b"a"})
        inner = connection.begin_nested()
        connection.execute(insert, {"level": 2, "hash": b"a"})
        with pytest.raises(IntegrityError):
            connection.execute(insert, {"level": 1, "hash": b"a"})
        inner.rollback()
        connection.execute(insert, {"level": 3, "hash": b"a"})
    with engine.connect() as connection:
        connection.execute(insert, {"level": 4, "hash": b"a"})
        connection.rollback()
        levels = connection.execute(text("SELECT level FROM log_nodes ORDER BY level")).scalars()
        assert list(levels) == [1, 3]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(DatabaseError):
        database.open_engine(url)


@pytest.mark.postgres
def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    url = make_url(postgres_url).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text("CREATE ROLE careless LOGIN SUPERUSER"))
            connection.execute(text("ALTER ROLE careless SET synchronous_commit = off"))
        careless = database.open_engine(
            url.set(username="careless").render_as_string(hide_password=False)
        )
        with pytest.raises(DatabaseNotDurableError):
            careless.connect()
        careless.dispose()
    finally:
        with admin.connect() as connection:
            connection.execute(text("DROP ROLE IF EXISTS careless"))
        admin.dispose()


def test_the_error_does_not_repeat_the_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        database.open_engine("mysql://user:hunter2@host/db")
    assert "hunter2" not in str(caught.value)
