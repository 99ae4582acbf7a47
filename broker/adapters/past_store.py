"""The store of the generations before this one, for SQLite and PostgreSQL alike: reads only.

Rule: its rows are written once, by `broker.adapters.generation_rows`; reads are of ranges and
bounded by their caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select

from broker.adapters.publication_tables import LOG_COSIGNED, LOG_GENERATIONS, LOG_PAST_ENTRIES
from broker.audit.past_log import PastGeneration
from datwat.party.database import reading

_P, _G, _C = LOG_PAST_ENTRIES.c, LOG_GENERATIONS.c, LOG_COSIGNED.c
_LIST = select(_G.origin, _G.note, _G.size, _C.note.label("cosigned")).select_from(
    LOG_GENERATIONS.outerjoin(LOG_COSIGNED, _G.origin == _C.origin)
)


class SqlPast:
    """Implements `broker.audit.past_log.PastStore`; safe in several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = reading(engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection from the pool: one unchanging view."""
        with self._engine.connect() as connection:
            yield connection

    def list_generations(self, connection: Connection) -> Sequence[PastGeneration]:
        """Return every generation that ended."""
        return [
            PastGeneration(
                origin=row.origin,
                note=bytes(row.note),
                size=row.size,
                cosigned=None if row.cosigned is None else bytes(row.cosigned),
            )
            for row in connection.execute(_LIST)
        ]

    def fetch_entries(
        self, connection: Connection, origin: str, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of its entries in [start:end) that are there, in order."""
        query = (
            select(_P.idx, _P.entry)
            .where(_P.origin == origin, _P.idx >= start, _P.idx < end)
            .order_by(_P.idx)
        )
        return [(row[0], bytes(row[1])) for row in connection.execute(query)]
