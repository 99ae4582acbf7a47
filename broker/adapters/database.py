"""Opening and migrating the broker's database: SQLite by default, PostgreSQL by URL.

Rule: what was committed survives a power cut, or the broker does not start; what was deleted is
overwritten (SQLite `secure_delete`); a database of a newer version is left alone.
Source: house reference "audit-log", Sequencing; SQLite "PRAGMA", PostgreSQL chapter 20.5.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from datwat.protocol.errors import DatwatError

BEGIN_OPTION = "sqlite_begin"
BEGIN_WRITING = "BEGIN IMMEDIATE"
BUSY_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 30_000

_MIGRATIONS = Path(__file__).parent / "migrations"
_UNSAFE_COMMIT = ("off", "local")
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)


class DatabaseError(DatwatError):
    """The database cannot be used."""

    code = "database_unusable"
    default_detail = "The database cannot be used: check its URL, that it runs, and your rights."


class DatabaseUnsafeError(DatabaseError):
    """The server may lose what it said was committed."""

    code = "database_unsafe"
    default_detail = (
        "PostgreSQL must run with fsync, full_page_writes and synchronous_commit on: "
        "set them and restart it."
    )


class DatabaseTooNewError(DatabaseError):
    """A newer version of this program migrated it."""

    code = "database_too_new"
    default_detail = "This database was made by a newer version: install that version."


def open_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///FILE` or `postgresql://…`, set up to lose nothing.

    On SQLite a transaction begins with `BEGIN`, or as the execution option `BEGIN_OPTION` says.

    Raises:
        DatabaseError: another kind of URL.
        DatabaseUnsafeError: a PostgreSQL server that may lose commits (on first use).
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("The database URL has another form than sqlite:///FILE.") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        engine = create_engine(parsed, pool_size=8, max_overflow=8)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={BUSY_TIMEOUT_MS}"
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args={"options": timeouts, "connect_timeout": 5},
        )
        event.listen(engine, "connect", _require_safe_postgresql)
        return engine
    raise DatabaseError("The database URL must be sqlite:///FILE or postgresql://….")


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to this version, or an earlier one; nothing changes if it is there.

    Raises:
        DatabaseTooNewError: a newer version was there before.
        DatabaseError: it cannot be reached, or not changed.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()
    except CommandError as error:
        raise DatabaseTooNewError from error
    except DBAPIError:
        raise DatabaseError from None  # the driver's own words name hosts and users


def _set_up_sqlite(connection: SQLiteConnection, _: ConnectionPoolEntry) -> None:
    # Without this the driver would begin transactions of its own, and not before a SELECT.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # By the driver itself: every transaction begins here.
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))


def _require_safe_postgresql(
    connection: psycopg.Connection[tuple[str, str, str]], _: ConnectionPoolEntry
) -> None:
    row = connection.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
        " current_setting('synchronous_commit')"
    ).fetchone()
    connection.rollback()
    if row is None or row[:2] != ("on", "on") or row[2] in _UNSAFE_COMMIT:
        raise DatabaseUnsafeError
