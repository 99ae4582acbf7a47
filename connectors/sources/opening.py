"""All sources of a partner together: which one holds a product, and who its clients are.

Rules: one product stands in one declaration; reading takes at most two seconds, whatever a driver
does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Self

from connectors.sources.declaration import (
    RestDeclaration,
    SqlDeclaration,
    load_declaration,
)
from connectors.sources.errors import DeclarationError, NoRecordError, SourceTooSlowError
from connectors.sources.rest import RestSource
from connectors.sources.settings import SECONDS, ReadSecret
from connectors.sources.sql import SqlSource
from connectors.sources.values import Client, ClientFault, Record
from datwat.party.settings import read_secret

_THREADS = 16

Declaration = SqlDeclaration | RestDeclaration
Source = SqlSource | RestSource


def open_source(declaration: Declaration, read: ReadSecret) -> Source:
    """Return the source of a declaration; nothing is connected to. Raises DeclarationError."""
    if isinstance(declaration, SqlDeclaration):
        return SqlSource(declaration, read)
    return RestSource(declaration, read)


def iter_clients(declaration: Declaration, read: ReadSecret) -> Iterator[Client | ClientFault]:
    """Yield every client that a declaration's `clients` yields; raise SourceError. Blocks."""
    source = open_source(declaration, read)
    try:
        yield from source.iter_clients()
    finally:
        source.close()


class Sources:
    """The sources of one partner; blocking methods are for a thread."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Index the products; raise DeclarationError where two declarations hold one."""
        self._sources = tuple(sources)
        self._products: dict[str, Source] = {}
        for source in self._sources:
            for product in source.declaration.products:
                if product in self._products:
                    raise DeclarationError(f"Two declarations hold the product {product}.")
                self._products[product] = source
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="source")

    @classmethod
    def load(cls, home: Path, files: Sequence[Path]) -> Self:
        """Return the sources that `files` declare; their secrets lie in the home folder.

        Raises DeclarationError, SecretError.
        """
        return cls([open_source(load_declaration(f), partial(read_secret, home)) for f in files])

    @property
    def has_clients(self) -> bool:
        """Whether any declaration says who the clients are."""
        return any(source.declaration.clients for source in self._sources)

    def allowed(self, product: str) -> frozenset[str]:
        """Return the paths that are declared for a product: the source's own list."""
        source = self._products.get(product)
        return frozenset(source.declaration.products[product].fields) if source else frozenset()

    def iter_clients(self) -> Iterator[Client | ClientFault]:
        """Yield every client of every declaration; raise SourceError. Blocks."""
        for source in self._sources:
            yield from source.iter_clients()

    def find_client(self, number: str) -> Client | None:
        """Return the client with this number, by the first source that has it. Blocks."""
        for source in self._sources:
            if source.declaration.clients is not None:
                client = source.find_client(number)
                if client is not None:
                    return client
        return None

    async def fetch_record(self, product: str, number: str, paths: Collection[str]) -> Record:
        """Return exactly `paths` of the record of one client, within two seconds.

        Raises SourceError of its own kind for each way in which the source fails.
        """
        source = self._products.get(product)
        if source is None:
            raise NoRecordError
        read = partial(source.fetch_record, product, number, tuple(paths))
        try:
            async with asyncio.timeout(SECONDS):
                # The trace of the order goes along to the partner's own system.
                within = copy_context().run
                return await asyncio.get_running_loop().run_in_executor(self._threads, within, read)
        except TimeoutError:
            raise SourceTooSlowError from None

    def close(self) -> None:
        """Let go of connections and threads; what is being read is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for source in self._sources:
            source.close()
