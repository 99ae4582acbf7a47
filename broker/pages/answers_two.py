"""The first of two hands: who looked at a wish for erasure, until a colleague does the same.

Rules: nobody decides alone, and the same person twice is one person; what the first one wrote is
kept in memory for a day, is destroyed with the decision, and decides nothing by itself. After a
restart the first one looks again. Source: AVG 17; domain.md, point 13.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from datwat.protocol.acts import Professional

LASTS: Final = timedelta(days=1)
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class FirstHand:
    """Who looked first, why, and until when that counts."""

    by: Professional = field(repr=False)
    reason: str = field(repr=False)
    until_at: datetime


@dataclass(slots=True)
class FirstHands:
    """First hands by the number of the wish."""

    _held: dict[str, FirstHand] = field(default_factory=dict, repr=False)

    def find(self, number: str, now: datetime) -> FirstHand | None:
        """Return the first hand that still counts, or None."""
        held = self._held.get(number)
        return held if held is not None and now < held.until_at else None

    def give(self, number: str, by: Professional, reason: str, now: datetime) -> None:
        """Keep a first hand, in place of an earlier one of whomever."""
        self._held = {key: one for key, one in self._held.items() if now < one.until_at}
        if number in self._held or len(self._held) < _MOST:
            self._held[number] = FirstHand(by, reason, now + LASTS)

    def end(self, number: str) -> None:
        """Destroy a first hand: it was decided."""
        self._held.pop(number, None)
