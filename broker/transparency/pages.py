"""Which entries stand together on a card, and which cards on a page.

Rules: every entry has a card of its own, but for an outcome, which stands on the card of its own
question: the one whose core it names. A `rid` is a partner's choice and may come back, so that it
groups nothing: a partner could bury an entry under another. Over the pages each entry is shown
once, however many there are. Source: AVG 15; audit-log.md ("Chains").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.transparency.cards import Line
from datwat.protocol.messages import OutcomeCore

LOOK_AHEAD = 300
# As many indexes as fit in a cursor.
MOST_SHOWN = 12


@dataclass(slots=True)
class CardPage:
    """Cards being collected, each newest first; the next page begins below index `before`.

    `skipped` are entries that an earlier page has shown, `shown` those that a later one must skip.
    """

    limit: int
    skipped: frozenset[int]
    cards: list[list[Line]] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    before: int | None = None
    _waiting: dict[bytes, list[Line]] = field(default_factory=dict)

    def fill(self, lines: Iterable[Line]) -> None:
        """Take the cards of this page from the lines of a chain, newest first."""
        last: int | None = None
        for count, line in enumerate(lines):
            if count == LOOK_AHEAD:
                # The next page reads on from here, or what lies below would never be seen.
                self.before = last if self.before is None else self.before
                break
            last = line.row.index
            if last not in self.skipped:
                self._add(line)
            if self.before is not None and not self._waiting:
                break
        if self.before is not None:
            self.shown |= {index for index in self.skipped if index < self.before}

    def _add(self, line: Line) -> None:
        is_outcome = line.told.event == "outcome"
        if not is_outcome and self._join(line):
            return
        if self.before is not None:
            return
        if len(self.cards) == self.limit:
            self.before = line.row.index + 1
            return
        card = [line]
        self.cards.append(card)
        if is_outcome:
            core = OutcomeCore.model_validate_json(line.told_core)
            self._waiting.setdefault(core.core_hash, card)

    def _join(self, line: Line) -> bool:
        """Put a question on the card of its outcome; return False where it has its own."""
        card = self._waiting.get(digest := hashlib.sha256(line.told_core).digest())
        is_ahead = self.before is not None
        if card is None or (is_ahead and len(self.shown | self.skipped) >= MOST_SHOWN):
            return False
        del self._waiting[digest]
        card.append(line)
        if is_ahead:
            self.shown.add(line.row.index)
        return True
