"""What the stores share: sealing the words of a row, and writes that somebody else may win.

Rules: a sealed text opens only in the row that it was sealed for (aad = table ‖ ids), so a swapped
row is an alarm; a write that finds the thing already there, or gone, raises RaceLost and leaves the
decision to the life of the question. Source: NIST SP 800-38D; RFC 5869.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite

from broker.involvement.notices import UnreadableRow
from broker.pseudonyms.errors import RaceLost, RowMismatch
from broker.pseudonyms.row_keys import ROW, RowKeys
from datwat.party.hot import HotStatement
from datwat.protocol.sealing import UnsealError

# Without it SQLAlchemy does not say how many rows an INSERT wrote (on PostgreSQL: -1).
COUNTED: dict[str, Any] = {"preserve_rowcount": True}
AnyRow = Row[*tuple[Any, ...]]
_Words = TypeVar("_Words", bound=BaseModel)
_Built = TypeVar("_Built")


class RowSealer:
    """Seals the words of a row under a key of the row key; `ids` are 16 bytes each."""

    def __init__(self, row_key: RowKeys | bytes) -> None:
        """Take the broker's row key: its ring, or the one key of 32 bytes."""
        self._keys = RowKeys.of(row_key)

    def seal(self, table: str, words: BaseModel, *ids: bytes) -> bytes:
        """Return the words of one row, sealed."""
        return self._keys.seal(ROW, words.model_dump_json().encode(), build_row_aad(table, *ids))

    def unseal(self, table: str, kind: type[_Words], sealed: bytes, *ids: bytes) -> _Words:
        """Return the words of one row; raise RowMismatch where they are another's, or are none."""
        try:
            opened = self._keys.unseal(ROW, sealed, build_row_aad(table, *ids))
            return kind.model_validate_json(opened)
        except (UnsealError, ValidationError):
            raise RowMismatch from None


def build_row_aad(table: str, *ids: bytes) -> bytes:
    """Return what binds the words of a row to it."""
    return table.encode() + b"\0" + b"".join(ids)


def build_readable(
    found: Iterable[AnyRow],
    build: Callable[[AnyRow], _Built],
    unreadable: list[UnreadableRow] | None,
) -> list[_Built]:
    """Return what was built of rows that wait; one that does not open goes to `unreadable`.

    Without `unreadable` it raises RowMismatch.
    """
    built = []
    for row in found:
        try:
            built.append(build(row))
        except RowMismatch as error:
            if unreadable is None:
                raise
            unreadable.append(UnreadableRow(row.id, row.tries, row.until_at, error.code))
    return built


def build_insert(table: Table) -> Mapping[str, Executable]:
    """Return, by dialect, the insert that does nothing where the row is there already."""
    return {
        "sqlite": sqlite.insert(table).on_conflict_do_nothing().execution_options(**COUNTED),
        "postgresql": postgresql.insert(table)
        .on_conflict_do_nothing()
        .execution_options(**COUNTED),
    }


def build_hot_insert(table: Table) -> HotStatement:
    """Return the same insert for what many questions write; moments go in as whole seconds."""
    return HotStatement(
        lambda name: (
            (postgresql if name == "postgresql" else sqlite).insert(table).on_conflict_do_nothing()
        )
    )


def insert(conn: Connection, statement: Mapping[str, Executable], values: dict[str, Any]) -> None:
    """Write one row by a statement of `build_insert`; raise RaceLost where it is there already."""
    write(conn, statement[conn.dialect.name], values)


def write(conn: Connection, statement: Executable, values: dict[str, Any]) -> None:
    """Run a write that must change one row; raise RaceLost where it changes none."""
    if not is_written(conn, statement, values):
        raise RaceLost


def is_written(conn: Connection, statement: Executable, values: dict[str, Any]) -> bool:
    """Run a write and tell whether it changed anything."""
    return conn.execute(statement, values).rowcount > 0
