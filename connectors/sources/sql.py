"""A partner's own database: declared queries with bound parameters, read only, and never for long.

Rules: a query is read through a select of just the columns that are wanted, so nothing else leaves
the database; the whole takes at most two seconds. What the database says when it fails is never
repeated: it may hold values.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Select, bindparam, column, create_engine, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.sources.declaration import (
    NUMBER,
    Rule,
    SqlDeclaration,
    SqlProduct,
    parse_url,
    require_secret_url,
)
from connectors.sources.errors import (
    DeclarationError,
    FieldsDifferError,
    NoRecordError,
    SourceError,
    SourceTooSlowError,
    SourceUnreachableError,
)
from connectors.sources.records import MAX_RECORDS, choose_record
from connectors.sources.settings import LIST_SECONDS, SECONDS, ReadSecret
from connectors.sources.values import Client, ClientFault, Reader, Record, read_client, read_row

_PROGRESS_STEPS = 2_000
_ROWS_AT_ONCE = 500
_POSTGRES_TIMEOUT = "57014"
_POSTGRES_LOCKED = "55P03"
_POSTGRES_WRONG_QUERY = "42"


class SqlSource:
    """One database; safe from several threads."""

    def __init__(self, declaration: SqlDeclaration, read_secret: ReadSecret) -> None:
        """Open nothing yet; raise DeclarationError for a URL that cannot be used."""
        self.declaration = declaration
        url = declaration.url
        if declaration.url_secret is not None:
            url = require_secret_url(read_secret(declaration.url_secret))
        try:
            self._engine = _create_engine(str(url))
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
            raise DeclarationError("The database URL names a kind that is not installed.") from None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def iter_clients(self) -> Iterator[Client | ClientFault]:
        """Yield every client, or what is wrong with the row; raise SourceError."""
        rules = self.declaration.clients
        if rules is None:
            return
        statement = _build_select(rules.query, rules.rules().values())
        with self._connect(LIST_SECONDS) as connection:
            result = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(statement)
            for number, row in enumerate(result.mappings(), 1):
                yield read_row(_reader(row), rules, number)

    def find_client(self, number: str) -> Client | None:
        """Return the client with this number (any of its rows); raise SourceError."""
        with self._connect(SECONDS) as connection:
            return self._find_client(connection, number)

    def fetch_record(self, product: str, number: str, paths: Collection[str]) -> Record:
        """Return exactly `paths` of a product of one client; raise SourceError. Blocks ≤ 2 s."""
        rules = self.declaration.products[product]
        with self._connect(SECONDS) as connection:
            client = self._find_client(connection, number)
            if client is None:
                raise NoRecordError
            rows = connection.execute(
                build_product_select(rules, paths), {NUMBER: _bind(rules.number, number)}
            ).mappings()
            readers = [_reader(row) for row in rows.fetchmany(MAX_RECORDS + 1)]
        return choose_record(readers, rules, paths, number=number, bsn=client.bsn)

    def list_columns(self, query: str) -> set[str]:
        """Return the columns that a query yields, without reading a row of it; for the check."""
        statement = select(text("*")).select_from(_record_of(text(query), ())).limit(0)
        with self._connect(SECONDS) as connection:
            return set(connection.execute(statement, {NUMBER: None}).keys())

    def _find_client(self, connection: Connection, number: str) -> Client | None:
        rules = self.declaration.clients
        if rules is None:
            raise NoRecordError
        statement = _build_select(rules.query, rules.rules().values(), number_column=rules.number)
        row = (
            connection.execute(statement, {NUMBER: _bind(rules.number, number)}).mappings().first()
        )
        if row is None:
            return None
        client = read_client(_reader(row), rules)
        return client if client.number == number else None

    @contextmanager
    def _connect(self, seconds: float) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                _limit(connection, seconds)
                yield connection
        except DBAPIError as error:
            raise _translate(error) from None
        except (SQLAlchemyError, OSError):
            raise SourceUnreachableError from None


def build_product_select(rules: SqlProduct, paths: Collection[str]) -> Select[Any]:
    """Return the select of just the columns for `paths` and for whose record it is."""
    if not set(paths) <= rules.fields.keys():
        raise FieldsDifferError
    wanted = [rules.number, rules.bsn, rules.newest_by, *(rules.fields[path] for path in paths)]
    return _build_select(rules.query, [rule for rule in wanted if rule is not None])


def _build_select(
    query: str, rules: Iterable[Rule], *, number_column: Rule | None = None
) -> Select[Any]:
    names = sorted({rule.read for rule in rules})
    record = _record_of(text(query), names)
    statement = select(*(record.c[name] for name in names))
    if number_column is not None:
        statement = statement.where(record.c[number_column.read] == bindparam(NUMBER))
    return statement


def _record_of(query: Any, names: Iterable[str]) -> Any:  # noqa: ANN401 - SQLAlchemy's subquery
    return query.columns(*(column(name) for name in names)).subquery("record")


def _reader(row: Mapping[Any, Any]) -> Reader:
    return lambda name: row[name]


def _bind(rule: Rule, number: str) -> str | int:
    """Return the local number as the source's column holds it; raise NoRecordError."""
    if rule.type != "integer":
        return number
    if not number.isdecimal() or len(number) > 18:  # noqa: PLR2004 - what a bigint holds
        raise NoRecordError
    return int(number)


def _create_engine(url: str) -> Engine:
    parsed = parse_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError
            path = f"file:{quote(parsed.database)}?mode=ro"
            return create_engine(
                "sqlite://",
                poolclass=NullPool,
                creator=lambda: sqlite3.connect(
                    path, uri=True, timeout=SECONDS, check_same_thread=False
                ),
            )
        case "postgresql":
            return create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_timeout=SECONDS,
                connect_args={
                    "connect_timeout": max(1, int(SECONDS)),
                    "options": "-c default_transaction_read_only=on -c lock_timeout=1500",
                },
            )
    return create_engine(parsed, pool_timeout=SECONDS)


def _limit(connection: Connection, seconds: float) -> None:
    """Have the database itself stop after `seconds`: a thread cannot be stopped from outside."""
    if connection.dialect.name == "sqlite":
        until = time.monotonic() + seconds
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - made by our own creator
        raw.set_progress_handler(lambda: time.monotonic() > until, _PROGRESS_STEPS)
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1_000)}")


def _translate(error: DBAPIError) -> SourceError:
    """Return what a database error means here; its text is dropped."""
    state = str(getattr(error.orig, "sqlstate", "") or "")
    said = str(error.orig).lower() if isinstance(error.orig, sqlite3.Error) else ""
    if state in (_POSTGRES_TIMEOUT, _POSTGRES_LOCKED) or said in (
        "interrupted",
        "database is locked",
    ):
        return SourceTooSlowError()
    if state.startswith(_POSTGRES_WRONG_QUERY) or said.startswith("no such column"):
        return FieldsDifferError()
    if state or said.startswith("no such"):
        return SourceError()
    return SourceUnreachableError()
