"""Short reads of the event loop: statements compiled once, run by the driver itself.

Rule: only reads, and only what the stores' own Core statements say: bound values and results go
through the types of their columns, as SQLAlchemy would do it, at a quarter of its cost (a question
takes fifteen such reads). Whatever this module cannot compile once, and all that comes after the
texts it keeps, goes through SQLAlchemy.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, Dialect, LargeBinary, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from broker.adapters.database import BEGIN_OPTION, BEGUN
from broker.adapters.log_tables import UtcSeconds, derive_seconds

__tracebackhide__ = True  # a fault is where somebody asked, not where the driver was called

_Process = Callable[[Any], Any]
_SQLITE: Dialect = sqlite.dialect(paramstyle="named")
_MOST_STATEMENTS = 200


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as text, and what its values go through on the way in and out."""

    text: str
    defaults: Mapping[str, Any]
    lists: Sequence[str]
    binds: Sequence[tuple[str, _Process]]
    results: Sequence[tuple[int, _Process]]
    make: Callable[[Iterable[Any]], Any]

    def run(self, cursor: Any, given: Mapping[str, Any]) -> list[Any]:  # noqa: ANN401 - a driver's
        """Return the rows of the statement for these values."""
        values = {**self.defaults, **given}
        for name in self.lists:
            for place, member in enumerate(values.pop(name), 1):
                values[f"{name}_{place}"] = member
        for name, process in self.binds:
            values[name] = process(values[name])
        rows = cursor.execute(self.text, values).fetchall()
        make, results = self.make, self.results
        if not results:
            return [make(row) for row in rows]
        found = []
        for row in rows:
            members = list(row)
            for place, process in results:
                members[place] = process(members[place])
            found.append(make(members))
        return found


@dataclass(frozen=True, slots=True)
class _Held:
    """A statement, kept so that its id stays its own, and its texts by the lengths of its lists."""

    statement: Any
    lists: Sequence[str]
    texts: dict[tuple[int, ...], _Compiled]

    def find_lengths(self, given: Mapping[str, Any]) -> tuple[int, ...]:
        """Return how long each list is that a call gives."""
        return tuple(len(given[name]) for name in self.lists) if self.lists else ()


class FastRows:
    """The rows of a read; as much of SQLAlchemy's result as the stores use."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def first(self) -> Any:  # noqa: ANN401 - a row
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def all(self) -> list[Any]:
        """Return all rows."""
        return self._rows

    def scalar(self) -> Any:  # noqa: ANN401 - a value of the first column
        """Return the first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalars(self) -> list[Any]:
        """Return the first column of every row."""
        return [row[0] for row in self._rows]


class FastConnection:
    """A connection for reading, in place of SQLAlchemy's where the stores are given one."""

    def __init__(self, connection: Connection) -> None:
        """Take a connection for good."""
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._dialect = _SQLITE if self._is_sqlite else connection.dialect
        if self._is_sqlite:
            # The transaction is this object's: where SQLAlchemy would begin one, it does nothing.
            connection = connection.execution_options(**{BEGIN_OPTION: BEGUN})
        self._connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._cursor = driver.cursor()
        self._held: dict[int, _Held] = {}
        self._count = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is SQLAlchemy's
        return getattr(self._connection, name)

    def execute(self, statement: Any, given: Any = None) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        """Run a read; anything but a Select that is given values goes through SQLAlchemy.

        A statement without values has them inside: it is built anew for each call.
        """
        if not given:
            return self._connection.execute(statement, given)
        held = self._held.get(id(statement))
        if held is None or held.statement is not statement:
            lists = tuple(name for name, value in given.items() if isinstance(value, list))
            held = _Held(statement, lists, {})
        lengths = held.find_lengths(given)
        compiled = held.texts.get(lengths)
        # What is not kept would be compiled for each call, at ten times what SQLAlchemy takes.
        if compiled is None and self._count < _MOST_STATEMENTS:
            compiled = _compile(statement, given, self._dialect)
            if compiled is not None:
                self._held[id(statement)] = held
                held.texts[lengths] = compiled
                self._count += 1
        if compiled is None:
            return self._connection.execute(statement, given)
        return FastRows(compiled.run(self._cursor, given))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Hold one unchanging view of the database for the block."""
        if not self._is_sqlite:
            with self._connection.begin():  # by it the driver hears what the transaction must be
                yield cast("Connection", self)
            return
        self._cursor.execute("BEGIN")
        try:
            yield cast("Connection", self)
        finally:
            if self._connection.in_transaction():
                self._connection.rollback()
            if self._driver.in_transaction:
                self._cursor.execute("ROLLBACK")

    def close(self) -> None:
        """Give the connection back."""
        self._cursor.close()
        self._connection.close()


def _compile(statement: object, values: Mapping[str, Any], dialect: Dialect) -> _Compiled | None:
    """Return a Select as text; a list of values makes it the text for a list of that length."""
    if not isinstance(statement, Select):
        return None
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    compiled = statement.params(**values).compile(
        dialect=dialect, compile_kwargs={"render_postcompile": True}
    )
    constant = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - of a Select
    columns = list(statement.selected_columns)
    expanded = {f"{name}_{place}" for name in lists for place in range(1, len(lists[name]) + 1)}
    binds = [
        (name, _find_bind(bind.type, dialect))
        for name, bind in compiled.binds.items()
        if name not in lists and name not in expanded
    ]
    results = [(place, _find_result(column.type, dialect)) for place, column in enumerate(columns)]
    return _Compiled(
        text=compiled.string,
        # Only what stands in the statement itself: the values of this call are not kept.
        defaults={name: value for name, value in constant.params.items() if name not in values},
        lists=tuple(lists),
        binds=[(name, process) for name, process in binds if process is not None],
        results=[(place, process) for place, process in results if process is not None],
        make=_name_columns([str(column.key) for column in columns]),
    )


def _name_columns(names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 - names by text
    return row._make


def _find_bind(kind: Any, dialect: Dialect) -> _Process | None:  # noqa: ANN401 - a type of SQLAlchemy
    if isinstance(kind, UtcSeconds):  # without SQLAlchemy's wrapping: most values are moments
        return _write_moment
    if isinstance(kind, LargeBinary):  # both drivers take bytes, and give bytes
        return None
    found: _Process | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return found


def _find_result(kind: Any, dialect: Dialect) -> _Process | None:  # noqa: ANN401 - a type of SQLAlchemy
    if isinstance(kind, UtcSeconds):
        return _read_moment
    if isinstance(kind, LargeBinary):
        return None
    found: _Process | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    return found


def _write_moment(value: datetime | None) -> int | None:
    return None if value is None else derive_seconds(value)


def _read_moment(value: int | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value, UTC)
