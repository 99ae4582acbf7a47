"""Statements that every request runs: compiled once, then run by the driver itself.

Rule: only what is measured to be hot is here; all else goes through SQLAlchemy. Through it a
statement costs about 50 µs of CPU, through the driver 5 to 15 (house reference "performance").
Errors are the driver's own: inside a transaction, whatever it is, the transaction is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import CompilerElement

__tracebackhide__ = True  # a fault is where somebody asked, not where the driver was called

_DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}


class HotStatement:
    """One statement for both kinds of database, with named parameters and no conversions.

    Values must be of the driver's own types: text, int, bool, bytes, None; a statement has no
    values of its own.
    """

    def __init__(self, build: Callable[[str], CompilerElement]) -> None:
        """Compile what `build` returns for each dialect name."""
        self._texts = {
            name: str(build(name).compile(dialect=dialect)) for name, dialect in _DIALECTS.items()
        }

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run the statement in the caller's transaction and return the number of rows changed."""
        with closing(self._open(connection)) as cursor:
            cursor.execute(self._texts[connection.dialect.name], values)
            count: int = cursor.rowcount
            return count

    def run_all(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run the statement for each of `rows`, in order, and return the number of rows changed."""
        if len(rows) <= 1:  # what psycopg sets up for many costs as much as two do
            return self.run(connection, rows[0]) if rows else 0
        with closing(self._open(connection)) as cursor:
            cursor.executemany(self._texts[connection.dialect.name], rows)
            count: int = cursor.rowcount
            return count

    def find_row(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run the query in the caller's transaction and return its first row, if any."""
        with closing(self._open(connection)) as cursor:
            cursor.execute(self._texts[connection.dialect.name], values)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def fetch_rows(
        self, connection: Connection, values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Run the query in the caller's transaction and return all its rows."""
        with closing(self._open(connection)) as cursor:
            cursor.execute(self._texts[connection.dialect.name], values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _open(self, connection: Connection) -> Any:  # noqa: ANN401 - a cursor of either driver
        if not connection.in_transaction():
            connection.begin()  # the driver would otherwise commit each statement
        # The driver's own cursor: SQLAlchemy's way to it costs half a statement.
        driver: Any = connection.connection.dbapi_connection
        return driver.cursor()


def build_places(name: str, count: int) -> list[BindParameter[Any]]:
    """Return so many parameters of one name and a number each, for a list in a statement."""
    return [bindparam(f"{name}_{place}") for place in range(count)]


def fill_places(name: str, values: Sequence[Any], count: int) -> dict[str, Any]:
    """Return at most `count` values (at least one) for `build_places`.

    Places that are left over repeat the last value: it is in the list already.
    """
    last = len(values) - 1
    return {f"{name}_{place}": values[min(place, last)] for place in range(count)}
