"""The partner's own source as the client sees it: rows to sync, and the record of one client.

Rule: what is read here stays in memory; the connector's own database never holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from connectors.client.desk import RowFailure, SourceRow
from connectors.client.identity import Record
from connectors.sources.values import Client, ClientFault


class Source(Protocol):
    """A source of any kind (`connectors/sources/`), as far as its clients go."""

    def iter_clients(self) -> Iterator[Client | ClientFault]:
        """Yield every client, or what is wrong with its row."""

    def find_client(self, number: str) -> Client | None:
        """Return the client with this number."""


class OwnSource:
    """A declared source in the words of the client's desk."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def find_record(self, number: str) -> Record | None:
        """Return the record under a client number; raise SourceError. Blocks ≤ 2 s."""
        client = self._source.find_client(number)
        return _build_record(client) if client is not None else None

    def list_clients(self) -> Iterator[SourceRow | RowFailure]:
        """Yield every involvement of the partner's own system; raise SourceError. Blocks."""
        for client in self._source.iter_clients():
            if isinstance(client, ClientFault):
                yield RowFailure(row=client.row, client=client.number, code=client.code)
            else:
                yield SourceRow(
                    client=client.number,
                    record=_build_record(client),
                    kind=client.kind,
                    contact=client.contact,
                    since_at=client.since_at,
                    shielded=client.shielded,
                    confidential=client.confidential,
                )


def _build_record(client: Client) -> Record:
    return Record(bsn=client.bsn, family_name=client.family_name, birth_date=client.birth_date)
