"""What this process holds of trust list, policy and database, as its rooms read it.

Rule: each is what is in force at the moment of the call; nobody keeps what was read before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from broker.adapters.fast_reads import open_fast_reads
from broker.api.routes import PolicyFiles
from broker.exchange.gather import TicketKeys
from datwat.party.trust_keeper import TrustKeeper
from datwat.party.trust_list import Directory
from datwat.protocol.bundle import Bundle
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.ticket import derive_ticket_key


class TrustHere:
    """Who is in force, and what opens tickets, as of the list held now."""

    def __init__(self, keeper: TrustKeeper, exchange: ExchangeKey) -> None:
        self._keeper = keeper
        self._exchange = exchange
        self._built: tuple[Directory, TicketKeys] | None = None

    @property
    def directory(self) -> Directory:
        """Who is in force."""
        return self._keeper.directory

    @property
    def ticket_keys(self) -> TicketKeys:
        """What opens tickets, derived once per list."""
        directory = self._keeper.directory
        if self._built is None or self._built[0] is not directory:
            holder = directory.trust.key_holder
            keys = [
                derive_ticket_key(
                    self._exchange, holder=ExchangePublicKey(raw), broker=self._exchange.public
                )
                for raw in holder.x25519
            ]
            epochs = {epoch.epoch: epoch.pk for epoch in holder.epochs}
            self._built = (directory, TicketKeys({key.kid: key for key in keys}, epochs))
        return self._built[1]


class Reads:
    """One held connection for the short reads of the event loop (performance.md).

    Rule: it is used by one read at a time. A thread of its own, or whoever reads while the loop's
    read is still open, has a connection of the pool: two users of one would end each other's
    transaction.
    """

    def __init__(self, engine: Engine) -> None:
        """Hold the connection for the thread that runs the event loop, which calls this."""
        self._engine = engine
        self._fast = open_fast_reads(engine)
        self._connection = None if self._fast else engine.connect()
        self._thread = threading.get_ident()
        self._is_used = False

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own: one unchanging view."""
        if self._is_used or threading.get_ident() != self._thread:
            with self._engine.connect() as connection:
                yield connection
            return
        self._is_used = True
        try:
            with self._begin() as connection:
                yield connection
        finally:
            self._is_used = False

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        if self._fast is not None:
            with self._fast.begin() as connection:
                yield connection
        elif self._connection is not None:
            with self._connection.begin():
                yield self._connection

    def close(self) -> None:
        """Give the connection back."""
        for held in (self._fast, self._connection):
            if held is not None:
                held.close()


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
