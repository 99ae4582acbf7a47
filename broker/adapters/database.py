"""Opening and migrating the broker's database: SQLite by default, PostgreSQL by URL.

Rule: what was committed survives a power cut, or the broker does not start; what was deleted is
overwritten (SQLite `secure_delete`); a database of a newer version is left alone.
Source: house reference "audit-log", Sequencing; SQLite "PRAGMA"; `datwat/party/postgres.py`.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from datwat.party import database as party
from datwat.party.database_errors import DatabaseError
from datwat.party.postgres import open_postgres

BEGIN_OPTION = "sqlite_begin"
BEGIN_WRITING = "BEGIN IMMEDIATE"
BUSY_TIMEOUT_MS = 5_000
MIGRATIONS = Path(__file__).parent / "migrations"

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)


def open_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///FILE` or `postgresql://…`, set up to lose nothing.

    On SQLite a transaction begins with `BEGIN`, or as the execution option `BEGIN_OPTION` says.

    Raises:
        DatabaseError: another kind of URL, or (on first use) a server that is not what it must be.
    """
    parsed = party.parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return open_postgres(parsed)
    if parsed.database in {None, "", ":memory:"}:
        raise DatabaseError("The database URL must be sqlite:///FILE or postgresql://….")
    engine = create_engine(parsed, pool_size=8, max_overflow=8)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to this version, or an earlier one; nothing changes if it is there.

    Raises:
        DatabaseTooNewError: a newer version was there before.
        DatabaseError: it cannot be reached, or not changed.
    """
    party.migrate(engine, MIGRATIONS, revision)


def _set_up_sqlite(connection: SQLiteConnection, _: ConnectionPoolEntry) -> None:
    # Without this the driver would begin transactions of its own, and not before a SELECT.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    # By the driver itself: every transaction begins here.
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))
