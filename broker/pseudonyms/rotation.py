"""The epochs of the key holder's scalar, and δ, which turns a pseudonym of one into the other's.

Rules: which epoch rows are written under is said by the database, so that all processes of a broker
agree; δ lies in memory only, as whoever has δ and the new scalar has the old one; without it no one
is looked for while rows lie under two epochs, for a person would be found to be nobody.
Source: house reference "cryptography", Rotation without BSN; docs/decisions/0026.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from sqlalchemy import Connection

from broker.pseudonyms.errors import EpochLeftError, RotationWaits
from datwat.protocol import group
from datwat.protocol.errors import ProtocolError


class DeltaError(ProtocolError):
    """δ does not lead from the one public key of the trust list to the other."""

    code = "rotation_delta"
    default_detail = "What the key holder sent does not turn its one epoch into the other."


@dataclass(frozen=True, slots=True)
class Epochs:
    """What the database says: rows are written under `current` (0: none was written yet).

    `leaving` is the other epoch while a rotation runs, whose rows are turned one after another;
    `is_done` says that none is left, and `turned` how many were.
    """

    current: int
    leaving: int | None = None
    cursor: bytes = b""
    turned: int = 0
    is_done: bool = False

    @property
    def permille(self) -> int:
        """How far the turning is: rows lie in the order of keyed hashes, which are spread evenly.

        1000 where nothing is to be turned any more.
        """
        if self.leaving is None or self.is_done:
            return 1_000
        return int.from_bytes(self.cursor[:2].ljust(2, b"\0"), "big") * 1_000 >> 16


@dataclass(frozen=True, slots=True)
class Turn:
    """δ = s'/s and its inverse, between two epochs."""

    leaving: int
    current: int
    _factor: bytes = field(repr=False)
    _inverse: bytes = field(repr=False)

    @classmethod
    def build(
        cls, leaving: int, current: int, factor: bytes, public_keys: Mapping[int, bytes]
    ) -> Self:
        """Return the turn if factor · pk(leaving) = pk(current); raise DeltaError if not."""
        try:
            turned = group.multiply(factor, public_keys[leaving])
            inverse = group.invert_scalar(factor)
        except (KeyError, group.GroupError):
            raise DeltaError from None
        if not hmac.compare_digest(turned, public_keys.get(current, b"")):
            raise DeltaError
        return cls(leaving, current, factor, inverse)

    def find_both(self, point: bytes, epoch: int) -> dict[int, bytes]:
        """Return a pseudonym under both epochs, by epoch; under its own alone if that is a third.

        Raises PointError.
        """
        if epoch == self.leaving:
            return {epoch: point, self.current: group.multiply(self._factor, point)}
        if epoch == self.current:
            return {epoch: point, self.leaving: group.multiply(self._inverse, point)}
        return {epoch: point}

    def turn(self, point: bytes) -> bytes:
        """Return a pseudonym of the epoch that is left under the current one."""
        return group.multiply(self._factor, point)


class Turns:
    """The turn that this process holds, if any; it never leaves the memory of the process."""

    def __init__(self) -> None:
        self.held: Turn | None = None
        self._on_wanted: Callable[[], None] | None = None

    def listen(self, on_wanted: Callable[[], None]) -> None:
        """Call `on_wanted`, in the thread of whoever looks, each time that a turn is missing."""
        self._on_wanted = on_wanted

    def find_points(self, point: bytes, epoch: int) -> dict[int, bytes]:
        """Return a pseudonym under every epoch that it can be looked for under here."""
        held = self.held
        return {epoch: point} if held is None else held.find_both(point, epoch)

    def require_target(self, points: Mapping[int, bytes], epochs: Epochs) -> int:
        """Return the epoch that a new row of this person is written under.

        Raises RotationWaits where rows lie under two epochs and only one can be looked for here,
        EpochLeftError for an epoch that no row lies under.
        """
        if epochs.leaving is not None and not {epochs.leaving, epochs.current} <= points.keys():
            if self._on_wanted is not None:
                self._on_wanted()
            raise RotationWaits
        # The first point is the one that was asked for: it decides where nothing was written yet.
        target = epochs.current or next(iter(points))
        if target not in points:
            raise EpochLeftError
        return target


@dataclass(frozen=True, slots=True)
class PseudonymRow:
    """What is kept of one pseudonym: nothing that can be compared without the row key."""

    index: bytes = field(repr=False)
    subject_id: bytes = field(repr=False)
    epoch: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TurnedRow:
    """A row under the current epoch, and the index under which it lay before."""

    before: bytes = field(repr=False)
    row: PseudonymRow = field(repr=False)


class RotationStore(Protocol):
    """Where the database says which epochs there are, and where rows are turned."""

    def find_epochs(self, conn: Connection) -> Epochs:
        """Return what the database says now."""

    def begin(self, conn: Connection, leaving: int, current: int) -> bool:
        """Have rows be turned from `leaving` to `current`; tell whether this changed anything.

        It does where rows are written under `leaving` alone, or are being turned the other way.
        Waits for whoever is writing a new row, and nobody writes one under `leaving` afterwards.
        """

    def list_rows(self, conn: Connection, after: bytes, limit: int) -> list[PseudonymRow]:
        """Return rows of any epoch in the order of their index, after this one."""

    def turn_rows(
        self, conn: Connection, before: Epochs, rows: list[TurnedRow], cursor: bytes
    ) -> int:
        """Write turned rows and move the cursor; return how many rows were still to be turned.

        A row that was turned or taken away meanwhile stays as it is. Raises RaceLost where the
        rotation is not as `before` says any more, and RotationConflict where a turned row is there
        already: nothing of it may be written then.
        """

    def list_leaving(self, conn: Connection, epochs: Epochs) -> Iterator[PseudonymRow]:
        """Yield every row that lies under the epoch that is left, by one statement, in any order.

        Each is read as it is asked for: who has seen enough may stop.
        """

    def restart(self, conn: Connection, before: Epochs, *, is_done: bool) -> None:
        """Say that all are turned, or begin at the first row again; raise RaceLost."""

    def end(self, conn: Connection, current: int) -> bool:
        """End a rotation that is done: the other epoch is refused from now on; tell if it was."""
