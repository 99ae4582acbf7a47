"""One way to open a database and one way to bring its schema up to date.

Rules: what was acknowledged survives a crash (SQLite: WAL with synchronous=FULL; PostgreSQL:
refused unless fsync, full_page_writes and synchronous_commit are on); what was deleted is
overwritten (secure_delete); a database that a newer version made is refused, never guessed at.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from datwat.party.errors import PartyError

# An execution option of a connection that only reads: it then never waits for a writer.
READ_ONLY = "datwat_read_only"
_BUSY_MILLISECONDS = 5_000
_TRUNCATE_MILLISECONDS = 50
_CONNECT_SECONDS = 5
_MIGRATION_LOCK = 0x64617477  # any constant of ours: two processes must not migrate at once
_POSTGRES_OPTIONS = "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=5000"
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_NO_URL = "The database URL must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."


class DatabaseError(PartyError):
    """The database cannot be used as it is."""

    code = "database_unusable"
    default_detail = "The database cannot be opened: check its address and that it runs."


class DatabaseNotDurableError(DatabaseError):
    """The server may lose what it acknowledged."""

    code = "database_not_durable"
    default_detail = (
        "The PostgreSQL server may lose what it acknowledged: "
        "switch fsync, full_page_writes and synchronous_commit on."
    )


class DatabaseTooNewError(DatabaseError):
    """A newer version of the software made this schema."""

    code = "database_too_new"
    default_detail = "The database was made by a newer version: run that version."


def open_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///…` or `postgresql://…`; nothing is connected to yet.

    Every SQLite transaction begins IMMEDIATE (it would otherwise fail, not wait, when it turns from
    reading to writing), unless the connection carries the execution option READ_ONLY. PostgreSQL is
    checked for durability on each new connection. Raises DatabaseError for another kind of URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError(_NO_URL) from None
    match parsed.get_backend_name():
        case "sqlite":
            return _open_sqlite(parsed)
        case "postgresql":
            return _open_postgres(parsed)
    raise DatabaseError(_NO_URL)


def find_sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, or None for another database; raise DatabaseError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError(_NO_URL) from None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


def truncate_journal(engine: Engine) -> bool:
    """Take what was overwritten out of SQLite's WAL too; False where a reader still holds it.

    PostgreSQL keeps its own journal and dead rows until its VACUUM and archive let go of them.
    """
    if engine.dialect.name != "sqlite":
        return True
    with closing(engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
        # It holds the write lock while it waits for readers, of which a backup is a long one.
        cursor.execute(f"PRAGMA busy_timeout={_TRUNCATE_MILLISECONDS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (busy, _, _) = cursor.fetchone() or (1, 0, 0)
        except OperationalError:
            return False
        finally:
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    return not busy


def migrate(engine: Engine, script_location: str | Path) -> None:
    """Bring the schema up to the newest revision under `script_location`, in one transaction.

    The `env.py` there calls `run_migrations`. Safe to call from several processes at once.
    Raises DatabaseTooNewError where the database holds a revision that is not known here.
    """
    config = Config()
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _MIGRATION_LOCK})
            if not set(MigrationContext.configure(connection).get_current_heads()) <= known:
                raise DatabaseTooNewError
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError:
        raise DatabaseError from None


def run_migrations(metadata: MetaData | None = None) -> None:
    """Run Alembic's scripts on the connection that `migrate` opened; for each `env.py` to call."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


def _open_sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives its WAL the mode of the database file: set it before SQLite does.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError:
            raise DatabaseError("The SQLite file cannot be made: check its folder.") from None
    engine = create_engine(url, connect_args={"timeout": _BUSY_MILLISECONDS / 1_000})

    @event.listens_for(engine, "connect")
    def prepare(raw: DBAPIConnection, _record: object) -> None:
        raw.isolation_level = None  # SQLAlchemy begins transactions, the driver must not
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            f"busy_timeout={_BUSY_MILLISECONDS}",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _open_postgres(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_timeout=_CONNECT_SECONDS,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": _POSTGRES_OPTIONS},
    )

    @event.listens_for(engine, "connect")
    def require_durable(raw: DBAPIConnection, _record: object) -> None:
        cursor = raw.cursor()
        for name in _DURABLE:
            cursor.execute(f"SHOW {name}")
            if cursor.fetchone() == ("off",):
                raise DatabaseNotDurableError
        cursor.close()
        raw.rollback()

    return engine
