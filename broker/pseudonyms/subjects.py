"""From a pseudonym P = s·H to a data subject: a random id that means nothing elsewhere.

Rule: the table holds a keyed index and P sealed under the row key, bound to subject and epoch;
every look-up compares the sealed P, so that a swapped row is an alarm and never another person;
while rows are turned to another epoch, a person is looked for under both in one statement.
Source: docs/reference/protocol.md section 4; NIST SP 800-38D, RFC 5869, RFC 2104.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from broker.pseudonyms.errors import RaceLost, SubjectMismatch
from broker.pseudonyms.rotation import Epochs, PseudonymRow, Turn, TurnedRow, Turns
from broker.pseudonyms.row_keys import INDEX, ROW, RowKeys
from datwat.protocol.sealing import UnsealError

SubjectId = bytes
ID_SIZE = 16
# The longest retention of an entry (Jeugdwet 7.3.8, Wmo 5.3.4: twenty years) and a quarter.
KEPT_FOR = timedelta(days=7_400)
_NOBODY = b""  # of no person: nothing lies under what is derived of it


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look in the database found: the epochs it says there are, and rows."""

    epochs: Epochs
    rows: Sequence[PseudonymRow] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Who a pseudonym stands for, if anybody, and how a new row of theirs would be written."""

    subject_id: SubjectId | None = field(repr=False)
    pseudonym: bytes = field(repr=False)
    epoch: int


class SubjectStore(Protocol):
    """Where pseudonym rows lie."""

    def find_rows(self, conn: Connection, indices: Sequence[bytes]) -> Seen:
        """Return the rows that lie under any of these, and the epochs at the same moment."""

    def insert_row(self, conn: Connection, row: PseudonymRow, until_at: datetime) -> None:
        """Add a row; raise RaceLost if its index or its subject is there already.

        Also where rows are written under another epoch by now. The first row of all sets it.
        """

    def extend_row(self, conn: Connection, subject_id: SubjectId, until_at: datetime) -> None:
        """Move the end of a subject's row to `until_at`, never to an earlier moment."""


def draw_id() -> bytes:
    """Return 16 random bytes: a new id inside the broker, or a new reference."""
    return os.urandom(ID_SIZE)


def build_pseudonym_aad(subject_id: SubjectId, epoch: int) -> bytes:
    """Return what binds a sealed pseudonym to its row."""
    return subject_id + epoch.to_bytes(8, "big")


class Subjects:
    """Finds and adds data subjects by pseudonym; the row key never leaves this object's keys."""

    def __init__(self, store: SubjectStore, row_key: RowKeys | bytes) -> None:
        """Take the broker's row key: its ring, or the one key of 32 bytes.

        `turns` holds what leads between two epochs of the key holder, while rows are turned.
        """
        self._store = store
        self._keys = RowKeys.of(row_key)
        self.turns = Turns()

    def derive_index(self, pseudonym: bytes) -> bytes:
        """Return the keyed index (32 bytes) under which the pseudonym is written."""
        return self._keys.digest(INDEX, pseudonym)

    def _derive_indices(self, points: Iterable[bytes]) -> list[bytes]:
        """Return every index under which one of some pseudonyms may be found."""
        return [index for point in points for index in self._keys.digests(INDEX, point)]

    def find_subject(self, conn: Connection, pseudonym: bytes, epoch: int) -> Sighting:
        """Return who a pseudonym of this epoch stands for; for an unknown one, nobody.

        Raises SubjectMismatch where the row found does not hold this very pseudonym, RotationWaits
        and EpochLeftError as `Turns.require_target` does.
        """
        points = self.turns.find_points(pseudonym, epoch)
        seen = self._store.find_rows(conn, self._derive_indices(points.values()))
        target = self.turns.require_target(points, seen.epochs)
        for row in seen.rows:
            self._require_pseudonym(row, points)
        found = {row.subject_id for row in seen.rows}
        if len(found) > 1:
            raise SubjectMismatch
        return Sighting(next(iter(found), None), points[target], target)

    def _require_pseudonym(self, row: PseudonymRow, points: Mapping[int, bytes]) -> None:
        if not hmac.compare_digest(self._unseal(row), points.get(row.epoch, b"")):
            raise SubjectMismatch

    def _unseal(self, row: PseudonymRow) -> bytes:
        try:
            return self._keys.unseal(
                ROW, row.sealed, build_pseudonym_aad(row.subject_id, row.epoch)
            )
        except UnsealError:
            raise SubjectMismatch from None

    def _build_row(self, subject_id: SubjectId, pseudonym: bytes, epoch: int) -> PseudonymRow:
        sealed = self._keys.seal(ROW, pseudonym, build_pseudonym_aad(subject_id, epoch))
        return PseudonymRow(self.derive_index(pseudonym), subject_id, epoch, sealed)

    def add_subject(
        self, conn: Connection, subject_id: SubjectId, pseudonym: bytes, epoch: int, now: datetime
    ) -> None:
        """Add the pseudonym of a new data subject, as a Sighting has it.

        Raises RaceLost if somebody else did just now, or rows are written under another epoch.
        """
        indices = self._derive_indices([pseudonym])
        # While the row key rotates, whoever was faster may have written under the other key: the
        # table's own key does not see that, and one person would be two.
        if len(indices) > 1 and self._store.find_rows(conn, indices).rows:
            raise RaceLost
        row = self._build_row(subject_id, pseudonym, epoch)
        self._store.insert_row(conn, row, now + KEPT_FOR)

    def build_turned(self, row: PseudonymRow, turn: Turn) -> TurnedRow:
        """Return a row of the epoch that is left as it is under the current one.

        Raises SubjectMismatch where it does not open.
        """
        point = turn.turn(self._unseal(row))
        return TurnedRow(row.index, self._build_row(row.subject_id, point, turn.current))

    def touch(self, conn: Connection, subject_id: SubjectId, now: datetime) -> None:
        """Keep a data subject as long as what is written about it now can last.

        It takes the statements that a new one takes: who is known may not be told by the time.
        """
        indices = self._derive_indices([_NOBODY])
        if len(indices) > 1:
            self._store.find_rows(conn, indices)
        self._store.extend_row(conn, subject_id, now + KEPT_FOR)
