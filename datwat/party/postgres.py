"""One way to open a PostgreSQL server: what it must be, how long anything may take, what is kept.

Rules: no connection is used before the server was seen to lose nothing (fsync, full_page_writes,
synchronous_commit), to take changes, to speak UTF8 and to be of a version that is tested; nothing
waits without an end, also for a server that took a statement and says nothing more; a connection
that was cut is found before a statement is given to it, so that a party goes on by itself once the
server is back.
Source: PostgreSQL chapters 20.5 (WAL), 20.11 (client defaults), 34.1.2 (connection parameters).

A connection that only reads (`READ_ONLY`) sees one moment for as long as its transaction lasts:
REPEATABLE READ, READ ONLY. All others are READ COMMITTED: they lock the rows they change.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, PGconn, Ping, TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError

from datwat.party.database_errors import (
    DatabaseEncodingError,
    DatabaseEntryError,
    DatabaseError,
    DatabaseNotDurableError,
    DatabaseOldServerError,
    DatabaseReadOnlyError,
    DatabaseRightsError,
    DatabaseStartingError,
    DatabaseTlsError,
    DatabaseUnreachableError,
)
from datwat.party.database_urls import CONNECT_TIMEOUT, asks_for_tls

# An execution option of a connection that only reads, from one unchanging view; on SQLite it then
# never waits for a writer.
READ_ONLY: Final = "datwat_read_only"
# Another: for how many seconds a statement of this connection may go unanswered before the party
# lets go of it. The server's own limits end what it works on; this ends what it sits on: a commit
# that waits for a standby which is gone, a disk or a pooler that hangs.
PATIENCE: Final = "datwat_patience"
PATIENCE_SECONDS: Final = 35.0
CONNECT_SECONDS: Final = 5
OLDEST_VERSION: Final = 150_000
POOL_SIZE: Final = 8
MAX_OVERFLOW: Final = 8

__tracebackhide__ = True  # a fault is where somebody asked, not where the driver was called

_SAFE_COMMIT = ("on", "remote_apply")
# What the server ends by itself: a statement, a wait for a lock, a transaction nobody goes on with.
_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=5000"
    " -c idle_in_transaction_session_timeout=60000"
    # Whatever the database or the role has: no transaction of ours counts on more, or tries again.
    " -c default_transaction_isolation=read\\ committed"
)
# What the kernel ends: a server that vanished is noticed within 10 s under way, and 25 s idle.
_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_DURABLE = (
    "current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit')"
)
_SERVER = (
    "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
    f" pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', {_DURABLE}"
)
_STILL_DURABLE = text(f"SELECT {_DURABLE}")
_NO_LIMIT = text("SET LOCAL statement_timeout = 0")
_MOST_NOTICES = 3
_READ_ONLY_STATE = "25006"
_RIGHTS_STATE = "42501"
_T = TypeVar("_T")

if TYPE_CHECKING:
    from psycopg.abc import PQGen  # of psycopg's own signatures only


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that lets go of a server which does not answer within `patience` seconds.

    None: it waits for ever. What became of the statement is not known then, as after a cut.
    """

    patience: float | None = CONNECT_SECONDS  # until it was looked at

    def __del__(self, *_psycopg: object) -> None:
        """Warn of nothing, as psycopg does for its own pool: a thread may outlive ours.

        What libpq holds of it closes itself, but not the parent's in a process that was forked.
        """

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """Carry out one exchange with the server; raise OperationalError where it says nothing."""
        limit = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError:
            # psycopg has no public name for its time-out: it leaves the exchange half done.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE and timeout is None:
                self.pgconn.finish()
            raise


def open_postgres(url: URL) -> Engine:
    """Return an engine of at most 16 connections; nothing is connected to yet.

    Of several hosts in the URL the one that takes changes is used. Every new connection raises
    DatabaseOldServerError, DatabaseEncodingError, DatabaseReadOnlyError or DatabaseNotDurableError
    where the server is not what it must be.
    """
    several = "," in str(url.query.get("host", "")) or isinstance(url.query.get("host"), tuple)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,
        connect_args={
            # SQLAlchemy puts these over what stands in the URL, which may have no other of them.
            CONNECT_TIMEOUT: url.query.get(CONNECT_TIMEOUT, CONNECT_SECONDS),
            "options": _OPTIONS,
            "client_encoding": "UTF8",
            "application_name": "datwat",
            **_ALIVE,
            **({"target_session_attrs": "read-write"} if several else {}),
        },
    )

    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _look_at)
    event.listen(engine, "checkout", _require_alive)
    event.listen(engine, "begin", _set_view)
    return engine


def lift_limits(connection: Connection) -> None:
    """Let the transaction of `connection` take as long as it takes; nothing where it is SQLite."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NO_LIMIT)
        raw: Any = connection.connection.dbapi_connection
        raw.patience = None  # until the next one begins


def require_durable(connection: Connection) -> None:
    """Raise DatabaseNotDurableError where the server was set otherwise since it was looked at."""
    _require_safe(*connection.execute(_STILL_DURABLE).one())


def is_unfit(raw: Any) -> bool:  # noqa: ANN401 - psycopg's, as SQLAlchemy holds it
    """Tell whether no transaction can begin on this connection; asks the kernel only.

    The server or the network ended it, or the one before did not end: where a `COMMIT` or a
    `ROLLBACK` is cancelled, nobody rolls back, and the next one would be refused as part of it.
    """
    pgconn = raw.pgconn
    if pgconn.transaction_status != TransactionStatus.IDLE:
        return True
    try:
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        for _ in range(_MOST_NOTICES):
            if not poll.poll(0):
                return bool(pgconn.status != ConnStatus.OK)
            pgconn.consume_input()  # a notice, or the server's last words, and then the end
    except psycopg.Error:
        return True
    return True


def explain(engine: Engine, error: DBAPIError) -> DatabaseError:
    """Return what to tell of an error at the start: of the server, of the way in, or of rights."""
    state = getattr(error.orig, "sqlstate", None)
    if state == _RIGHTS_STATE:
        return DatabaseRightsError()
    if state == _READ_ONLY_STATE:
        return DatabaseReadOnlyError()
    if state is not None or not isinstance(error.orig, psycopg.OperationalError):
        return DatabaseError()
    return _explain_no_entry(engine)


def _explain_no_entry(engine: Engine) -> DatabaseError:
    """Return what to tell where no connection came about, and the driver says nothing exact."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    arguments.pop("context", None)  # SQLAlchemy's own: how values are adapted
    match _ping(**arguments):
        case Ping.OK:
            return DatabaseEntryError()
        case Ping.REJECT:
            return DatabaseStartingError()
    if asks_for_tls(engine.url):
        # Is somebody there who only gives no TLS? Asked without it, and without naming anybody.
        where = {name: arguments[name] for name in ("host", "port") if name in arguments}
        if _ping(**where, user="datwat", dbname="datwat", sslmode="disable") == Ping.OK:
            return DatabaseTlsError()
    return DatabaseUnreachableError()


def _ping(**arguments: Any) -> Ping:  # noqa: ANN401 - libpq's, by their names
    given = {CONNECT_TIMEOUT: CONNECT_SECONDS, **arguments}
    return Ping(PGconn.ping(make_conninfo(**given).encode()))


def _connect(
    _dialect: object, _record: object, _arguments: object, given: dict[str, Any]
) -> BoundedConnection:
    return BoundedConnection.connect(**given)


def _look_at(raw: Any, _record: object) -> None:  # noqa: ANN401 - a driver's
    """Take a new connection for use, or none."""
    try:
        _require_server(raw)
    except BaseException:
        raw.close()  # the pool lets go of it, and leaves it open
        raise
    raw.patience = PATIENCE_SECONDS


def _require_alive(raw: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - as above
    if is_unfit(raw):
        raise DisconnectionError


def _require_server(raw: psycopg.Connection[Any]) -> None:
    row = raw.execute(_SERVER).fetchone()
    raw.rollback()
    if row is None:
        raise DatabaseError
    version, encoding, takes_nothing, *durable = row
    if version < OLDEST_VERSION:
        raise DatabaseOldServerError
    if encoding != "UTF8":
        raise DatabaseEncodingError
    if takes_nothing:
        raise DatabaseReadOnlyError
    _require_safe(*durable)


def _require_safe(fsync: str, full_page_writes: str, synchronous_commit: str) -> None:
    if (fsync, full_page_writes) != ("on", "on") or synchronous_commit not in _SAFE_COMMIT:
        raise DatabaseNotDurableError


def _set_view(connection: Connection) -> None:
    """Say what the transaction is that begins now: the driver sends it with its first statement."""
    options = connection.get_execution_options()
    reads = bool(options.get(READ_ONLY, False))
    raw: Any = connection.connection.dbapi_connection
    raw.patience = options.get(PATIENCE, PATIENCE_SECONDS)
    if bool(raw.read_only) != reads:
        raw.read_only = reads or None
        raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ if reads else None
