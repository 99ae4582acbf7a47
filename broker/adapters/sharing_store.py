"""One session in which a process of the broker stands among the others: who runs, who keeps house.

Rules: a process holds the lock of its number for as long as its session lives, one of them that of
the housekeeper; the server lets go of both when the session ends, however that comes, and ends one
that says nothing for some seconds (a process that hangs). What a process holds for itself is read
anew when its number here rose; that a newer version changed the schema is seen in the same look.
PostgreSQL only. Source: PostgreSQL, Advisory Locks.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from broker.adapters import database
from broker.adapters.sharing_tables import SharedChange
from broker.adapters.tables import table_of
from broker.sharing import MOST_PROCESSES, Holders, OutdatedError, Polled, ProcessRunsError
from datwat.party.database import find_newest
from datwat.party.postgres import PATIENCE, require_durable

_CLASS: Final = 0x6477  # any constant of ours: the locks of brokers
_HOUSE: Final = 0
_SILENT_MILLISECONDS: Final = 5_000
_ANSWER_MILLISECONDS: Final = 2_000
_COUNT_SECONDS: Final = 2.0  # for a person and for rates: who runs
_SILENT_SECONDS: Final = 3.0  # for a server that does not even say that it gave up
_SET_UP: Final = tuple(
    text(f"SET {name} = {value}")
    for name, value in (
        ("idle_session_timeout", _SILENT_MILLISECONDS),
        ("statement_timeout", _ANSWER_MILLISECONDS),
        ("tcp_keepalives_idle", 3),
        ("tcp_keepalives_interval", 1),
        ("tcp_keepalives_count", 3),
    )
)
_TRY: Final = text("SELECT pg_try_advisory_lock(:class, :number)")
_LET_GO: Final = text("SELECT pg_advisory_unlock_all()")
_HOLDERS: Final = text(
    "SELECT objid::int, pid FROM pg_locks WHERE locktype = 'advisory' AND classid = :class AND"
    " objsubid = 2 AND granted AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_C = table_of(SharedChange)
_NUMBERS = select(_C.c.name, _C.c.number)
_INSERT = postgresql.insert(_C)
_RAISE = _INSERT.on_conflict_do_update(index_elements=[_C.c.name], set_={"number": _C.c.number + 1})


def note_change(conn: Connection, name: str) -> None:
    """Say, in the transaction that changes it, that each process must read something anew."""
    if conn.dialect.name == "postgresql":
        conn.execute(_RAISE, {"name": name, "number": 1})


class SharingSession:
    """The session of one process; used by one thread at a time."""

    def __init__(self, engine: Engine, process: int) -> None:
        self._engine = engine.execution_options(**{PATIENCE: _SILENT_SECONDS})
        self._process = process
        self._connection: Connection | None = None
        self._keeps_house = False
        self._holders, self._counted_at = Holders((), None), 0.0
        self._revision = find_newest(database.MIGRATIONS)

    def open(self) -> None:
        """Connect, and take this process's number; raise ProcessRunsError where it is taken."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.detach()  # of its own: it never goes back to the pool
            for statement in _SET_UP:
                connection.execute(statement)
            is_free = _try_lock(connection, self._process)
        except BaseException:
            connection.close()
            raise
        if not is_free:
            connection.close()
            raise ProcessRunsError(
                f"Process {self._process} of this broker runs already on this database: give this "
                "one another number with --process, or stop the other."
            )
        self._connection, self._keeps_house = connection, False

    def poll(self, told: Collection[str] = ()) -> Polled:
        """Say what changed here, keep house if nobody does, and look; opens what was cut.

        Raises SQLAlchemyError, DatabaseError, ProcessRunsError, OutdatedError: then nothing is held
        any more.
        """
        try:
            if self._connection is None:
                self.open()
            connection = self._connection
            assert connection is not None  # noqa: S101 - it was opened
            self._require_same_schema(connection)
            if not self._keeps_house:
                self._keeps_house = _try_lock(connection, _HOUSE)
            for name in sorted(told):
                note_change(connection, name)
            numbers: Mapping[str, int] = {row[0]: row[1] for row in connection.execute(_NUMBERS)}
            holders = self._count(connection)
        except BaseException:
            self.close()
            raise
        return Polled(numbers, self._keeps_house, holders)

    def _require_same_schema(self, connection: Connection) -> None:
        if connection.execute(_REVISION).scalar() != self._revision:
            raise OutdatedError

    def close(self) -> None:
        """End the session, and with it all that it holds. Idempotent."""
        connection, self._connection, self._keeps_house = self._connection, None, False
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.execute(_LET_GO)  # at once: the server may take a moment to end it
            with suppress(SQLAlchemyError):
                connection.close()

    def _count(self, connection: Connection) -> Holders:
        """Return which processes run, and see that the server is as it was: not at each look."""
        now = time.monotonic()
        if self._holders.housekeeper is None or now - self._counted_at >= _COUNT_SECONDS:
            require_durable(connection)
            found = connection.execute(_HOLDERS, {"class": _CLASS}).all()
            by_session = {pid: number for number, pid in found if number != _HOUSE}
            keeper = next((by_session.get(pid) for number, pid in found if number == _HOUSE), None)
            self._holders = Holders(tuple(sorted(by_session.values())), keeper)
            self._counted_at = now
        return self._holders


@contextmanager
def hold_alone(url: str) -> Iterator[None]:
    """Keep every process of a broker from its database while the block runs.

    Raises ProcessRunsError where one runs. Nothing is done for SQLite: its ratchet is locked.
    """
    engine = database.open_engine(url)
    try:
        if engine.dialect.name != "postgresql":
            yield
            return
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                if not all(_try_lock(connection, number) for number in range(MOST_PROCESSES + 1)):
                    raise ProcessRunsError(
                        "A process of this broker runs on this database: stop it."
                    )
                yield
            finally:
                connection.execute(_LET_GO)
    finally:
        engine.dispose()


def _try_lock(connection: Connection, number: int) -> bool:
    return bool(connection.execute(_TRY, {"class": _CLASS, "number": number}).scalar_one())
