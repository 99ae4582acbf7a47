"""Short reads of the event loop on SQLite: statements compiled once, run by the driver itself.

Rule: only reads, and only what the stores' own Core statements say: bound values and results go
through the types of their columns, as SQLAlchemy would do it, at a quarter of its cost (a question
takes fifteen such reads). Whatever this module cannot compile once goes through SQLAlchemy.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from broker.adapters.database import BEGIN_OPTION
from broker.adapters.log_tables import UtcSeconds

_Process = Callable[[Any], Any]
_DIALECT = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as text, and what its values go through on the way in and out."""

    text: str
    defaults: Mapping[str, Any]
    lists: Sequence[str]
    binds: Sequence[tuple[str, _Process]]
    results: Sequence[tuple[int, _Process]]
    row: Callable[..., Any]

    def run(self, cursor: Any, given: Mapping[str, Any]) -> list[Any]:  # noqa: ANN401 - a driver's
        """Return the rows of the statement for these values."""
        values = {**self.defaults, **given}
        for name in self.lists:
            for place, member in enumerate(values.pop(name), 1):
                values[f"{name}_{place}"] = member
        for name, process in self.binds:
            values[name] = process(values[name])
        rows = cursor.execute(self.text, values).fetchall()
        if not self.results:
            return [self.row(*row) for row in rows]
        found = []
        for row in rows:
            members = list(row)
            for place, process in self.results:
                members[place] = process(members[place])
            found.append(self.row(*members))
        return found


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
        # The transaction is this object's: where SQLAlchemy would begin one, it does nothing.
        self._connection = connection.execution_options(**{BEGIN_OPTION: "SELECT 1"})
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._cursor = driver.cursor()
        self._compiled: dict[tuple[int, int], tuple[Any, _Compiled | None]] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is SQLAlchemy's
        return getattr(self._connection, name)

    def execute(self, statement: Any, given: Any = None) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        """Run a read; anything but a Select that is given values goes through SQLAlchemy.

        A statement without values has them inside: it is built anew for each call.
        """
        if not given:
            return self._connection.execute(statement, given)
        values: dict[str, Any] = given
        length = sum(len(value) for value in values.values() if isinstance(value, list))
        key = (id(statement), length)
        held = self._compiled.get(key)
        if held is None or held[0] is not statement:
            held = (statement, _compile(statement, values))
            # The statement is kept beside its text, so that its id stays its own.
            if held[1] is not None and len(self._compiled) < _MOST_STATEMENTS:
                self._compiled[key] = held
        if held[1] is None:
            return self._connection.execute(statement, given)
        return FastRows(held[1].run(self._cursor, values))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Hold one unchanging view of the database for the block."""
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


_MOST_STATEMENTS = 200


def open_fast_reads(engine: Engine) -> FastConnection | None:
    """Return a held connection for reading, or None where the database is not SQLite."""
    if engine.dialect.name != "sqlite":
        return None
    return FastConnection(engine.connect())


def _compile(statement: object, values: Mapping[str, Any]) -> _Compiled | None:
    """Return a Select as text; a list of values makes it the text for a list of that length."""
    if not isinstance(statement, Select):
        return None
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    compiled = statement.params(**values).compile(
        dialect=_DIALECT, compile_kwargs={"render_postcompile": True}
    )
    constant = statement.compile(dialect=_DIALECT)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - of a Select
    columns = list(statement.selected_columns)
    expanded = {f"{name}_{place}" for name in lists for place in range(1, len(lists[name]) + 1)}
    binds = [
        (name, _find_bind(bind.type))
        for name, bind in compiled.binds.items()
        if name not in lists and name not in expanded
    ]
    results = [(place, _find_result(column.type)) for place, column in enumerate(columns)]
    return _Compiled(
        text=compiled.string,
        # Only what stands in the statement itself: the values of this call are not kept.
        defaults={name: value for name, value in constant.params.items() if name not in values},
        lists=tuple(lists),
        binds=[(name, process) for name, process in binds if process is not None],
        results=[(place, process) for place, process in results if process is not None],
        row=namedtuple("Row", [str(column.key) for column in columns], rename=True),  # noqa: PYI024
    )


def _find_bind(kind: Any) -> _Process | None:  # noqa: ANN401 - a type of SQLAlchemy
    if isinstance(kind, UtcSeconds):  # without SQLAlchemy's wrapping: most values are moments
        return partial(kind.process_bind_param, dialect=_DIALECT)
    found: _Process | None = kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return found


def _find_result(kind: Any) -> _Process | None:  # noqa: ANN401 - a type of SQLAlchemy
    if isinstance(kind, UtcSeconds):
        return partial(kind.process_result_value, dialect=_DIALECT)
    found: _Process | None = kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
    return found
