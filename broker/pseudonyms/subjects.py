"""From a pseudonym P = s·H to a data subject: a random id that means nothing elsewhere.

Rule: the table holds a keyed index and P sealed under the row key, bound to subject and epoch;
every look-up compares the sealed P, so that a swapped row is an alarm and never another person.
Source: docs/reference/protocol.md section 4; NIST SP 800-38D, RFC 5869, RFC 2104.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from broker.pseudonyms.errors import SubjectMismatch
from datwat.protocol.sealing import UnsealError, build_cipher, derive_key, seal, unseal

SubjectId = bytes
ID_SIZE = 16
# The longest retention of an entry (Jeugdwet 7.3.8, Wmo 5.3.4: twenty years) and a quarter.
KEPT_FOR = timedelta(days=7_400)


@dataclass(frozen=True, slots=True)
class PseudonymRow:
    """What is kept of one pseudonym: nothing that can be compared without the row key."""

    index: bytes = field(repr=False)
    subject_id: SubjectId = field(repr=False)
    epoch: int
    sealed: bytes = field(repr=False)


class SubjectStore(Protocol):
    """Where pseudonym rows lie."""

    def find_row(self, conn: Connection, index: bytes) -> PseudonymRow | None:
        """Return the row of an index, or None."""

    def insert_row(self, conn: Connection, row: PseudonymRow, until_at: datetime) -> None:
        """Add a row; raise RaceLost if its index or its subject is there already."""

    def extend_row(self, conn: Connection, subject_id: SubjectId, until_at: datetime) -> None:
        """Move the end of a subject's row to `until_at`, never to an earlier moment."""


def draw_id() -> bytes:
    """Return 16 random bytes: a new id inside the broker, or a new reference."""
    return os.urandom(ID_SIZE)


def _build_aad(subject_id: SubjectId, epoch: int) -> bytes:
    return subject_id + epoch.to_bytes(8, "big")


class Subjects:
    """Finds and adds data subjects by pseudonym; the row key never leaves this object's keys."""

    def __init__(self, store: SubjectStore, row_key: bytes) -> None:
        """Derive the two keys of this room from the broker's row key (32 bytes)."""
        self._store = store
        self._index_key = derive_key(row_key, b"index")
        self._seal_key = build_cipher(derive_key(row_key, b"row"))

    def derive_index(self, pseudonym: bytes) -> bytes:
        """Return the keyed index (32 bytes) under which the pseudonym is found."""
        return hmac.digest(self._index_key, pseudonym, "sha256")

    def find_subject(self, conn: Connection, pseudonym: bytes, epoch: int) -> SubjectId | None:
        """Return the data subject of a pseudonym of this epoch, or None for an unknown one.

        Raises SubjectMismatch where the row found does not hold this very pseudonym.
        """
        row = self._store.find_row(conn, self.derive_index(pseudonym))
        if row is None:
            return None
        try:
            kept = unseal(self._seal_key, row.sealed, _build_aad(row.subject_id, epoch))
        except UnsealError:
            raise SubjectMismatch from None
        if not hmac.compare_digest(kept, pseudonym):
            raise SubjectMismatch
        return row.subject_id

    def add_subject(
        self, conn: Connection, subject_id: SubjectId, pseudonym: bytes, epoch: int, now: datetime
    ) -> None:
        """Add the pseudonym of a new data subject; raise RaceLost if somebody else did just now."""
        sealed = seal(self._seal_key, pseudonym, _build_aad(subject_id, epoch))
        row = PseudonymRow(self.derive_index(pseudonym), subject_id, epoch, sealed)
        self._store.insert_row(conn, row, now + KEPT_FOR)

    def touch(self, conn: Connection, subject_id: SubjectId, now: datetime) -> None:
        """Keep a data subject as long as what is written about it now can last."""
        self._store.extend_row(conn, subject_id, now + KEPT_FOR)
