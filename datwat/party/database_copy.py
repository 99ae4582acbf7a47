"""Copying a stopped party's database into an empty one on a server, row by row and verified.

Rules: every table is copied, nothing is left out or computed anew; the source is only read, from
one view; while a copy is not finished nothing starts from it (`COPYING`); a copy that was cut short
goes on where it was, since rows come in one order and each batch is committed; it is finished only
when every table read back gives the digest of the source's rows.

1. Read the source's revision and its view. 2. See that the target is empty, or holds a part of this
very copy; make the tables at the source's revision. 3. Copy table by table, parents first. 4. Set
the counters that give out numbers. 5. Read everything back and compare. 6. The caller verifies what
the party's database proves of itself. 7. Take the mark away.

    digest of a table = sum over its rows of SHA-256(row as Python writes it), modulo 2^256
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from datwat.party.database import COPYING, migrate, open_engine, reading
from datwat.party.database_errors import DatabaseError, DatabaseTooNewError
from datwat.party.database_urls import build_file_url
from datwat.party.postgres import explain, lift_limits

_AT_ONCE = 2_000
_REPORT_EVERY = 100_000
_VERSION = "alembic_version"
# Where an error is, in the words of the command's help.
SOURCE = "FROM"
_TARGET = "TO"
_SPACE = 1 << 256
# Whose copy is being made, and whether its own rows are being written.
_MARK = Table(
    COPYING, MetaData(), Column("mark", Text, nullable=False), Column("is_filling", Boolean)
)

Report = Callable[[str, int, int], None]


class DatabaseCopyError(DatabaseError):
    """The copy cannot be made, or did not come out the same."""

    code = "database_copy"
    default_detail = "The copy cannot be made."


class Copied(NamedTuple):
    """What was copied."""

    tables: int
    rows: int
    resumed: int


class _Read(NamedTuple):
    rows: int
    digest: int


@contextmanager
def copying(
    source: Engine, target: Engine, migrations: Path, party: str, report: Report
) -> Iterator[Copied]:
    """Copy and verify every table, then run the block; the copy counts once that ended well.

    `report` hears of (table, rows so far, rows in all). Raises DatabaseCopyError,
    DatabaseTooNewError, and what the two databases are refused for; `place` says which of the two.
    """
    with telling_where(source, SOURCE), reading(source).connect() as conn:
        lift_limits(conn)
        revision = _require_revision(conn, migrations)
        tables = _reflect(conn)
        _require_own(set(tables.tables), migrations, revision)
        mark = _derive_mark(conn, party, revision, tables)
        with telling_where(target, _TARGET):
            _prepare(target, migrations, revision, mark)
            resumed = _count_all(target)
        found = {
            table.name: _copy_table(conn, table, target, report)
            for table in tables.sorted_tables
            if table.name != _VERSION
        }
    with telling_where(target, _TARGET):
        _set_numbers(target)
        _require_same(target, found)
        yield Copied(len(found), sum(one.rows for one in found.values()), resumed)
        with target.begin() as conn:
            _MARK.drop(conn)
            conn.execute(text("ANALYZE"))


@contextmanager
def telling_where(engine: Engine, place: str) -> Iterator[None]:
    """Raise what this database is refused for, or fails with, as a DatabaseError with its place."""
    try:
        yield
    except DatabaseCopyError:
        raise  # of the two of them together
    except (DatabaseError, DBAPIError) as error:
        found = explain(engine, error) if isinstance(error, DBAPIError) else error
        found.place = found.place or place
        raise found from None


def _require_revision(conn: Connection, migrations: Path) -> str:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    revision = MigrationContext.configure(conn).get_current_revision()
    if revision is None:
        raise DatabaseCopyError("The source holds no tables: there is nothing to copy.")
    if revision not in known:
        raise DatabaseTooNewError
    return revision


def _reflect(conn: Connection) -> MetaData:
    found = MetaData()
    found.reflect(conn)
    if COPYING in found.tables:
        raise DatabaseCopyError("The source is itself a copy that was not finished.")
    return found


def _require_own(tables: set[str], migrations: Path, revision: str) -> None:
    """Refuse a source with other tables than this party makes, before the target is touched."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(build_file_url(Path(folder, "made.sqlite")))
        try:
            migrate(engine, migrations, revision)
            made = set(inspect(engine).get_table_names())
        finally:
            engine.dispose()
    if tables != made:
        raise DatabaseCopyError(
            "The source has other tables than this party's: it is another party's database, or "
            "was changed by hand."
        )


def _derive_mark(conn: Connection, party: str, revision: str, tables: MetaData) -> str:
    """Return what tells this copy from any other: the party, the schema, and how much there is."""
    counts = [(table.name, _count(conn, table)) for table in tables.sorted_tables]
    return hashlib.sha256(repr((party, revision, counts)).encode()).hexdigest()


def _prepare(target: Engine, migrations: Path, revision: str, mark: str) -> None:
    """Make the mark and the tables in an empty database; leave a part of this copy as it is."""
    with target.begin() as conn:
        tables = set(inspect(conn).get_table_names())
        if COPYING not in tables:
            if tables:
                raise DatabaseCopyError(
                    "The target is not empty: name an empty database. If it is this party's whole "
                    "copy, set database_url to it instead."
                )
            _MARK.create(conn)
            conn.execute(insert(_MARK), {"mark": mark, "is_filling": False})
        held = conn.execute(select(_MARK)).one()
    if held.mark != mark:
        raise DatabaseCopyError(
            "The target holds a part of another copy, or the source changed since: name an empty "
            "database."
        )
    if held.is_filling:
        return
    migrate(target, migrations, revision, is_copy=True)
    with target.begin() as conn:
        made = MetaData()
        made.reflect(conn)
        # What a migration wrote comes from the source too.
        for table in reversed(made.sorted_tables):
            if table.name not in {_VERSION, COPYING}:
                conn.execute(delete(table))
        conn.execute(update(_MARK).values(is_filling=True))


def _copy_table(conn: Connection, table: Table, target: Engine, report: Report) -> _Read:
    """Add the rows that the target lacks; return how many the source has, and their digest."""
    total = _count(conn, table)
    with ExitStack() as stack:
        with telling_where(target, _TARGET):
            writing = stack.enter_context(target.connect())
            to, there = _find_target(writing, table)
        rows, digest, waiting = 0, 0, []
        for row in _stream(conn, table):
            rows += 1
            digest += _digest(row)
            if rows > there:
                waiting.append(dict(zip(table.c.keys(), row, strict=True)))
            if len(waiting) == _AT_ONCE:
                _write(writing, to, waiting)
                waiting = []
            if rows % _REPORT_EVERY == 0:
                report(table.name, rows, total)
        if waiting:
            _write(writing, to, waiting)
    report(table.name, rows, total)
    return _Read(rows, digest % _SPACE)


def _find_target(writing: Connection, table: Table) -> tuple[Table, int]:
    """Return the table to copy into, and how many rows it has."""
    to = Table(table.name, MetaData(), autoload_with=writing)
    if set(to.c.keys()) != set(table.c.keys()):
        raise DatabaseCopyError(f"The table {table.name} has other columns than this party's.")
    writing.rollback()
    there = _count(writing, to)
    writing.rollback()
    return to, there


def _write(conn: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    with telling_where(conn.engine, _TARGET):
        conn.execute(insert(table), rows)
        conn.commit()


def _stream(conn: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows in one order, every value in a type that both databases share."""
    columns: list[Column[Any]] = list(table.columns)
    keys = list(table.primary_key.columns) or columns
    streamed = {"stream_results": True, "yield_per": _AT_ONCE}  # of this statement, not of `conn`
    binary = [isinstance(column.type, LargeBinary) for column in columns]
    statement = select(*columns).order_by(*keys)
    for row in conn.execute(statement, execution_options=streamed):
        yield tuple(
            bytes(value) if flag and value is not None else value
            for value, flag in zip(row, binary, strict=True)
        )


def _digest(row: tuple[Any, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(row).encode()).digest(), "big")


def _require_same(target: Engine, wanted: dict[str, _Read]) -> None:
    with reading(target).connect() as conn:
        lift_limits(conn)
        tables = MetaData()
        tables.reflect(conn)
        for name, expected in wanted.items():
            rows = digest = 0
            for row in _stream(conn, tables.tables[name]):
                rows += 1
                digest += _digest(row)
            if _Read(rows, digest % _SPACE) != expected:
                raise DatabaseCopyError(
                    f"The table {name} did not arrive as it was: empty the target and copy again."
                )


def _set_numbers(target: Engine) -> None:
    """Go on numbering after the last number that was given out, in each table that counts rows."""
    with target.begin() as conn:
        tables = MetaData()
        tables.reflect(conn)
        for table in tables.sorted_tables:
            for column in table.primary_key.columns:
                name = {"t": table.name, "c": column.name}
                found = text("SELECT pg_get_serial_sequence(:t, :c)")
                counter = conn.execute(found, name).scalar()
                if counter is not None:
                    last = conn.execute(select(func.max(column))).scalar()
                    conn.execute(select(func.setval(counter, last or 1, last is not None)))


def _count(conn: Connection, table: Table) -> int:
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def _count_all(engine: Engine) -> int:
    with reading(engine).connect() as conn:
        tables = MetaData()
        tables.reflect(conn)
        return sum(
            _count(conn, table)
            for table in tables.sorted_tables
            if table.name not in {_VERSION, COPYING}
        )
