"""One way to open a database and one way to bring its schema up to date.

Rules: what was acknowledged survives a crash (SQLite: WAL with synchronous=FULL; PostgreSQL:
`postgres.py`); what was deleted is overwritten (secure_delete); a database that a newer version
made is refused, never guessed at; nothing starts without the rights that it will need.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from datwat.party.database_errors import (
    DatabaseError,
    DatabaseNotDurableError,
    DatabaseRightsError,
    DatabaseTooNewError,
    DatabaseUnfinishedError,
)
from datwat.party.database_urls import parse_url
from datwat.party.postgres import (
    MAX_OVERFLOW,
    POOL_SIZE,
    READ_ONLY,
    explain,
    lift_limits,
    open_postgres,
)

__all__ = [
    "BUSY_MILLISECONDS",
    "COPYING",
    "READ_ONLY",
    "DatabaseError",
    "DatabaseNotDurableError",
    "DatabaseTooNewError",
    "end_failed",
    "find_newest",
    "find_sqlite_file",
    "migrate",
    "open_engine",
    "open_sqlite",
    "parse_url",
    "reading",
    "run_migrations",
    "truncate_journal",
]

COPYING = "datwat_copying"
"""The table that a database has while a copy into it is not finished."""

BUSY_MILLISECONDS = 5_000
_TRUNCATE_MILLISECONDS = 50
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"busy_timeout={BUSY_MILLISECONDS}",
    "temp_store=MEMORY",
    "trusted_schema=OFF",
)
_MIGRATION_LOCK = 0x64617477  # any constant of ours: two processes must not migrate at once
# A migration takes as long as it takes; it waits for another one, and briefly for who reads.
_LOCK_LIMIT = text("SET LOCAL lock_timeout = '60s'")
_LACKING = text(
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind IN ('r', 'p') AND NOT (has_table_privilege(oid, 'SELECT')"
    " AND (relname = 'alembic_version' OR has_table_privilege(oid, 'INSERT')))"
)


def open_engine(url: str) -> Engine:
    """Return an engine for `sqlite:///…` or `postgresql://…`; nothing is connected to yet.

    Every SQLite transaction begins IMMEDIATE (it would otherwise fail, not wait, when it turns from
    reading to writing), unless the connection carries the execution option READ_ONLY. PostgreSQL is
    checked on each new connection. Raises DatabaseError for another kind of URL.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "postgresql":
        return open_postgres(parsed)
    if _is_file(parsed):
        _make_file(Path(str(parsed.database)))
    return open_sqlite(parsed, _begin_sqlite)


def reading(engine: Engine) -> Engine:
    """Return the same engine for transactions that only read, each from one unchanging view."""
    return engine.execution_options(**{READ_ONLY: True})


def find_sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, or None for another database; raise DatabaseError."""
    parsed = parse_url(url)
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
            cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    return not busy


def migrate(
    engine: Engine, script_location: str | Path, revision: str = "head", *, is_copy: bool = False
) -> None:
    """Bring the schema up to a revision under `script_location`, in one transaction.

    The `env.py` there calls `run_migrations`. Safe to call from several processes at once; nothing
    is locked where there is nothing to do. `revision` is the newest, or one that a copy or a backup
    is of; `is_copy` where a copy into this database is being made.

    Raises:
        DatabaseTooNewError: that revision, or the one in the database, is not known here.
        DatabaseUnfinishedError: a copy into this database was not finished.
        DatabaseRightsError: the role may not do this, or not what the party will do.
        DatabaseError: it cannot be reached, or not used; the class says why.
    """
    config = _build_config(script_location)
    scripts = ScriptDirectory.from_config(config)
    known = {one.revision for one in scripts.walk_revisions()}
    if revision not in {*known, "head"}:
        raise DatabaseTooNewError
    try:
        with reading(engine).connect() as connection:
            if not is_copy and inspect(connection).has_table(COPYING):
                raise DatabaseUnfinishedError
            found = _read_revisions(connection, known)
        if not found or found != set(scripts.get_heads()):
            with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    lift_limits(connection)
                    connection.execute(_LOCK_LIMIT)
                    lock = {"k": _MIGRATION_LOCK}
                    connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), lock)
                _read_revisions(connection, known)
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
        _require_rights(engine)
    except DBAPIError as error:
        if engine.dialect.name == "postgresql":
            raise explain(engine, error) from None
        raise DatabaseError from None


def find_newest(script_location: str | Path) -> str:
    """Return the newest revision of the scripts: that of the schema which this version works on."""
    newest = ScriptDirectory.from_config(_build_config(script_location)).get_current_head()
    assert newest is not None  # noqa: S101 - every party has migrations
    return newest


def _build_config(script_location: str | Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location).replace("%", "%%"))
    return config


def _read_revisions(connection: Connection, known: set[str]) -> set[str]:
    found = set(MigrationContext.configure(connection).get_current_heads())
    if not found <= known:
        raise DatabaseTooNewError
    return found


def _require_rights(engine: Engine) -> None:
    """Raise DatabaseRightsError where the role could not read or add to a table at all."""
    if engine.dialect.name == "postgresql":
        with reading(engine).connect() as connection:
            if connection.execute(_LACKING).scalar():
                raise DatabaseRightsError


def run_migrations(metadata: MetaData | None = None) -> None:
    """Run Alembic's scripts on the connection that `migrate` opened; for each `env.py` to call."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


def open_sqlite(url: URL, begin: Callable[[Connection], None]) -> Engine:
    """Return an engine on SQLite, set up to lose nothing; `begin` begins each transaction."""
    pool = {"pool_size": POOL_SIZE, "max_overflow": MAX_OVERFLOW} if _is_file(url) else {}
    engine = create_engine(url, connect_args={"timeout": BUSY_MILLISECONDS / 1_000}, **pool)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", begin)
    return engine


def end_failed(connection: Connection) -> Any:  # noqa: ANN401 - a driver's
    """Roll back what a COMMIT that failed left open on a held connection; return the driver's."""
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        driver.rollback()
    return driver


def _is_file(url: URL) -> bool:
    return url.database not in {None, "", ":memory:"}


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives its WAL the mode of the database file: set it before SQLite does.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        raise DatabaseError("The SQLite file cannot be made: check its folder.") from None


def _set_up_sqlite(raw: Any, _record: object) -> None:  # noqa: ANN401 - a driver's
    raw.isolation_level = None  # SQLAlchemy begins transactions, the driver must not
    for pragma in _PRAGMAS:
        raw.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    end_failed(connection)
    reads = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
