"""Reading what was kept of decisions, in the order of the log, many at a time.

Rules enforced: reads only; entries and keys of a batch are of one moment, for an erasure seals anew
what it leaves; what was erased gives nothing, and what does not open is said to be damaged, by its
place. A key store that does not answer stops the reading: it says nothing about the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, select

from broker.adapters.log_tables import LogEntry, QuarterKey, table_of
from broker.audit.ports import KekPort
from broker.audit.sealing import derive_quarter_aad
from datwat.party.database import reading
from datwat.protocol.entry import (
    ENTRY_LENGTH,
    ContentError,
    EntryError,
    EntryType,
    derive_content_key,
    open_input,
    parse_entry,
)
from datwat.protocol.sealing import UnsealError

InputState = Literal["kept", "nothing", "erased", "damaged"]

_ENTRIES, _KEYS = table_of(LogEntry), table_of(QuarterKey)
_FETCH = (
    select(
        *(_ENTRIES.c.idx, _ENTRIES.c.entry, _ENTRIES.c.subject_id, _ENTRIES.c.audience),
        *(_ENTRIES.c.quarter, _ENTRIES.c.input_sealed, _ENTRIES.c.sealed.is_not(None)),
    )
    .where(_ENTRIES.c.idx >= bindparam("b_start"), _ENTRIES.c.idx < bindparam("b_end"))
    .order_by(_ENTRIES.c.idx)
    .limit(bindparam("b_limit"))
)
_FETCH_KEYS = select(_KEYS.c.subject_id, _KEYS.c.quarter, _KEYS.c.key_sealed).where(
    _KEYS.c.subject_id.in_(bindparam("b_subjects", expanding=True)),
    _KEYS.c.quarter.in_(bindparam("b_quarters", expanding=True)),
)


class KeptInput(NamedTuple):
    """One entry about a person: what was kept beside it, and whether it waits to be told."""

    at_index: int
    state: InputState
    is_waiting: bool
    document: bytes


@dataclass(frozen=True, slots=True)
class _Row:
    at_index: int
    entry: bytes = field(repr=False)
    subject_id: bytes | None = field(repr=False)
    audience: str | None
    quarter: str | None
    input_sealed: bytes | None
    has_content: bool


class ReplayInputs:
    """Reads batches; `open_kek` opens the key file anew, which another process may have changed."""

    def __init__(self, engine: Engine, open_kek: Callable[[], KekPort]) -> None:
        """Keep where to read, and open the keys once."""
        self._engine = reading(engine)
        self._open_kek = open_kek
        self._kek = open_kek()

    def fetch(self, start: int, end: int, limit: int) -> tuple[list[KeptInput], int]:
        """Return what was kept of the next `limit` entries of log[start:end), and where to go on.

        Raises KeyStoreError.
        """
        with self._engine.connect() as connection:
            given = {"b_start": start, "b_end": end, "b_limit": limit}
            rows = [_Row(*row) for row in connection.execute(_FETCH, given)]
            keys = self._fetch_keys(connection, rows)
        found = [self._read(row, keys) for row in rows if _is_about_person(row.entry)]
        after = rows[-1].at_index + 1 if len(rows) == limit else end
        return found, after

    def _fetch_keys(
        self, connection: Connection, rows: Sequence[_Row]
    ) -> dict[tuple[bytes, str], bytes]:
        sealed = [row for row in rows if row.input_sealed is not None]
        subjects = {row.subject_id for row in sealed if row.subject_id is not None}
        quarters = {row.quarter for row in sealed if row.quarter is not None}
        if not subjects:
            return {}
        given: dict[str, Collection[object]] = {
            "b_subjects": list(subjects),
            "b_quarters": list(quarters),
        }
        return {(row[0], row[1]): row[2] for row in connection.execute(_FETCH_KEYS, given)}

    def _read(self, row: _Row, keys: dict[tuple[bytes, str], bytes]) -> KeptInput:
        waits = row.audience == "delayed"
        if row.input_sealed is None:
            state: InputState = "nothing" if row.has_content else "erased"
            return KeptInput(row.at_index, state, waits, b"")
        place = (row.subject_id or b"", row.quarter or "")
        sealed = keys.get(place)
        if sealed is None:
            return KeptInput(row.at_index, "erased", waits, b"")
        try:
            key = derive_content_key(self._unseal(sealed, derive_quarter_aad(*place)))
            document = open_input(key, row.input_sealed, parse_entry(row.entry).hash)
        except (UnsealError, ContentError, EntryError):
            return KeptInput(row.at_index, "damaged", waits, b"")
        return KeptInput(row.at_index, "kept", waits, document)

    def _unseal(self, sealed: bytes, aad: bytes) -> bytes:
        try:
            return self._kek.unseal(sealed, aad)
        except UnsealError:
            # The broker may have begun a generation of the KEK since this file was read.
            self._kek = self._open_kek()
            return self._kek.unseal(sealed, aad)


def _is_about_person(entry: bytes) -> bool:
    return len(entry) == ENTRY_LENGTH and entry[1] == EntryType.PERSON
