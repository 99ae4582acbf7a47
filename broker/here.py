"""What this process holds of trust list, policy and database, as its rooms read it.

Rule: each is what is in force at the moment of the call; nobody keeps what was read before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from broker.adapters.fast_reads import FastConnection
from broker.api.routes import PolicyFiles
from broker.exchange.gather import TicketKeys
from datwat.party.database import reading
from datwat.party.database_errors import DatabaseAwayError
from datwat.party.errors import PartyError
from datwat.party.own_keys import OwnKeys
from datwat.party.postgres import PATIENCE, is_unfit
from datwat.party.trust_keeper import TrustKeeper
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.ticket import derive_ticket_key

_AWAY_SECONDS = 1.0
_OPEN_SECONDS = 0.25
_SILENT_SECONDS = 5.0


class TrustHere:
    """Who is in force, and what opens tickets, as of the list held now."""

    def __init__(self, keeper: TrustKeeper, exchange: OwnKeys[ExchangeKey]) -> None:
        self._keeper = keeper
        self._exchange = exchange
        self._built: tuple[Directory, object, TicketKeys] | None = None

    @property
    def directory(self) -> Directory:
        """Who is in force."""
        return self._keeper.directory

    @property
    def ticket_keys(self) -> TicketKeys:
        """What opens tickets, derived once per list and set of own keys: every pair of keys."""
        directory, own = self._keeper.directory, self._exchange.keys
        built = self._built
        if built is None or built[0] is not directory or built[1] is not own:
            holder = directory.trust.key_holder
            keys = [
                derive_ticket_key(key, holder=ExchangePublicKey(raw), broker=key.public)
                for key in own
                for raw in holder.x25519
            ]
            epochs = {epoch.epoch: epoch.pk for epoch in holder.epochs}
            tickets = TicketKeys({key.kid: key for key in keys}, epochs)
            built = self._built = (directory, own, tickets)
        return built[2]


class Reads:
    """One held connection for the short reads of the event loop (performance.md).

    Rules: it is used by one read at a time. A thread of its own, or whoever reads while the loop's
    read is still open, has a connection of the pool: two users of one would end each other's
    transaction. A server's connection that was cut, or whose last transaction did not end, is
    replaced before a read begins, and one that says nothing is let go of; while no other can be
    had, reads fail at once or nearly so: the loop may not wait for a server.
    """

    def __init__(self, engine: Engine) -> None:
        """Hold the connection for the thread that runs the event loop, which calls this."""
        self._engine = reading(engine).execution_options(**{PATIENCE: _SILENT_SECONDS})
        self._is_server = engine.dialect.name == "postgresql"
        self._connection: Connection | None = self._engine.connect()
        self._fast = FastConnection(self._connection)
        self._thread = threading.get_ident()
        self._is_used = False
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="reads")
        self._opening: Future[Connection] | None = None
        self._not_before = 0.0

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own: one unchanging view.

        Raises DatabaseAwayError.
        """
        if self._is_used or threading.get_ident() != self._thread:
            with self._engine.connect() as connection:
                yield connection
            return
        self._is_used = True
        try:
            if self._is_server:
                self._require_connection()
            with self._fast.begin() as connection:
                yield connection
        finally:
            self._is_used = False

    def _require_connection(self) -> None:
        """Replace the held connection where no transaction can begin on it."""
        held = self._connection
        if held is not None and not held.invalidated:
            if not is_unfit(held.connection.dbapi_connection):
                return
            held.invalidate()
        if held is not None:
            held.close()
            self._connection = None
        self._connection = self._await_connection()
        self._fast = FastConnection(self._connection)

    def _await_connection(self) -> Connection:
        """Return a new connection, which a thread opens; the loop waits for it only so long."""
        if self._opening is None:
            if time.monotonic() < self._not_before:
                raise DatabaseAwayError
            self._opening = self._opener.submit(self._engine.connect)
        wait([self._opening], timeout=_OPEN_SECONDS)
        if not self._opening.done():
            raise DatabaseAwayError
        opened, self._opening = self._opening, None
        if opened.exception() is not None:
            self._not_before = time.monotonic() + _AWAY_SECONDS
        return opened.result()

    def close(self) -> None:
        """Give the connection back."""
        self._opener.shutdown(cancel_futures=True)
        if self._opening is not None and not self._opening.cancelled():
            with suppress(SQLAlchemyError, PartyError):
                self._opening.result().close()
        if self._connection is not None:
            self._fast.close()


class PolicyHere:
    """The bundle in force, as routes and pages read it; both parts always of the same one."""

    def __init__(self, files: PolicyFiles, bundle: Bundle) -> None:
        """Begin with a bundle and its bytes."""
        self._held = (files, bundle)

    @property
    def files(self) -> PolicyFiles:
        """The bytes as they were signed."""
        return self._held[0]

    @property
    def bundle(self) -> Bundle:
        """The bundle in force."""
        return self._held[1]

    def take(self, bundle: Bundle, document: bytes) -> None:
        """Go by another bundle from now on."""
        self._held = (PolicyFiles(bundle.archive, document), bundle)

    @classmethod
    def build(cls, bundle: Bundle, document: bytes) -> PolicyHere:
        """Return a bundle and its bytes."""
        return cls(PolicyFiles(bundle.archive, document), bundle)
