"""What a rotation of the scalar goes through, as rules over one row, and where that row lies.

begun: two epochs, the broker turns its rows from `leaving` to `current`; turned: no row is left
under `leaving`; ended: its scalar is destroyed. An abort turns the two round. Pure, but for the two
functions that read and write the row. Source: docs/decisions/0026.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection, delete, insert, select

from datwat.protocol.freshness import CLOCK_SKEW, RESUME_AGE
from datwat.protocol.rotation import Progress
from keyholder.tables import ROTATION

# What was made under the epoch that is left can be answered or resumed for so long.
GRACE: Final = RESUME_AGE + CLOCK_SKEW
# Every process of the broker has read the list of two epochs so long after the first one did.
SPREAD: Final = timedelta(minutes=2)
# A card names no more, and nobody turns pseudonyms between three.
MOST_SCALARS: Final = 2
_ID: Final = 1


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation; moments are when it began, δ was first given, the broker last told, all turned.

    `highest` is the highest number that an epoch ever had here; `is_drawn` says that `current` was
    drawn for this rotation, so that nothing rests on it before δ is given.
    """

    state: Literal["begun", "turned", "ended"]
    leaving: int
    current: int
    highest: int
    begun_at: datetime
    is_drawn: bool = False
    permille: int = 0
    given_at: datetime | None = None
    told_at: datetime | None = None
    turned_at: datetime | None = None
    is_destroyed: bool = False

    @property
    def runs(self) -> bool:
        """Whether there are two epochs."""
        return self.state != "ended"

    def told(self, progress: Progress | None, now: datetime) -> Rotation:
        """Return the rotation after the broker asked, and said how far it is if it turns rows."""
        found = replace(self, told_at=now, given_at=self.given_at or now)
        if progress is None or not self.is_meant(progress):
            return found
        if not progress.done:
            return replace(found, state="begun", permille=progress.permille, turned_at=None)
        turned_at = self.turned_at or now
        return replace(found, state="turned", permille=1_000, turned_at=turned_at)

    def is_meant(self, progress: Progress) -> bool:
        """Return whether the broker speaks of this rotation, in this direction."""
        return (progress.leaving, progress.current) == (self.leaving, self.current)

    def aborted(self, listed: Collection[int]) -> Rotation:
        """Return it turned round, back to where it came from; over at once where δ never left.

        Pointers may rest on a scalar that was found here: then the broker is to turn them first.
        So it is too where the list names a drawn one, for this row may be older than what was told.
        """
        is_bare = self.is_drawn and self.given_at is None and self.current not in listed
        return replace(
            self,
            state="ended" if is_bare else "begun",
            leaving=self.current,
            current=self.leaving,
            is_drawn=False,
            permille=0,
            turned_at=None,
        )

    def prefers(self, now: datetime) -> int:
        """Return the epoch to evaluate under, for who knows both: the old one until all is turned.

        The new one only when every process of the broker can be expected to know it.
        """
        is_known = self.given_at is not None and now - self.given_at >= SPREAD
        is_left = not self.runs or (self.state == "turned" and is_known)
        return self.current if is_left else self.leaving


def choose_epoch(
    shared: Sequence[int], known: Sequence[int], rotation: Rotation | None, now: datetime
) -> int | None:
    """Return the epoch to evaluate under; None where the sender's list and ours share none.

    `shared` are the epochs of trust list and secrets, oldest first; `known` those that the sender
    says its list has: none said means one, and then the oldest is meant.
    """
    usable = [epoch for epoch in shared if epoch in known] if known else list(shared[:1])
    if not usable:
        return None
    preferred = usable[0] if rotation is None else rotation.prefers(now)
    return preferred if preferred in usable else usable[0]


def find_rotation(connection: Connection) -> Rotation | None:
    """Return the rotation that runs, or the last one; None where there never was one."""
    row = connection.execute(select(ROTATION).where(ROTATION.c.id == _ID)).mappings().first()
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name != "id"}
    for name in ("begun_at", "given_at", "told_at", "turned_at"):
        if values[name] is not None:
            values[name] = datetime.fromtimestamp(values[name], UTC)
    return Rotation(**values)


def save_rotation(connection: Connection, rotation: Rotation) -> None:
    """Write the one row anew, in the caller's transaction."""
    values = {
        name: int(value.timestamp()) if isinstance(value, datetime) else value
        for name, value in asdict(rotation).items()
    }
    connection.execute(delete(ROTATION))
    connection.execute(insert(ROTATION), {"id": _ID, **values})
