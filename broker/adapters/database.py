"""Opening and migrating the broker's database: SQLite by default, PostgreSQL by URL.

Rule: what was committed survives a power cut, or the broker does not start; what was deleted is
overwritten (SQLite `secure_delete`); a database of a newer version is left alone. Both kinds are
opened as every party's (`datwat/party/database.py`, `postgres.py`); only what begins a transaction
is the broker's own. Source: house reference "audit-log", Sequencing; SQLite "PRAGMA".
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from datwat.party import database as party
from datwat.party.database_errors import DatabaseError
from datwat.party.postgres import open_postgres

BEGIN_OPTION = "sqlite_begin"
BEGIN_WRITING = "BEGIN IMMEDIATE"
# Whoever gives this began the transaction, on a connection of its own.
BEGUN = ""
MIGRATIONS = Path(__file__).parent / "migrations"


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
    return party.open_sqlite(parsed, _begin_sqlite)


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to this version, or an earlier one; nothing changes if it is there.

    Raises:
        DatabaseTooNewError: a newer version was there before.
        DatabaseError: it cannot be reached, or not changed.
    """
    party.migrate(engine, MIGRATIONS, revision)


def _begin_sqlite(connection: Connection) -> None:
    how = connection.get_execution_options().get(BEGIN_OPTION, "BEGIN")
    if how != BEGUN:
        party.end_failed(connection).execute(how)  # by the driver: every transaction begins here
