"""Who holds keys that are being replaced: a question that seals while a person's content ends.

Rule: what was sealed under a key that is gone must never be written, for nobody could open it. Keys
are handed out with a cell that all their holders share; it is set before keys are replaced, and
stays so for those who read them until that was committed. They lose the race, and gather anew.

This is of one process. Where several write one log, the writer compares the stored keys besides
(`sealing.are_current`): another process has no cell to set.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from broker.audit.records import KeyCell

Place = tuple[bytes, str]
"""Subject id and quarter."""


class ReplacedKeys:
    """The cells of all keys that somebody holds; safe to use from several threads."""

    def __init__(self) -> None:
        self._cells: WeakValueDictionary[Place, KeyCell] = WeakValueDictionary()
        self._replacing: dict[Place, KeyCell] = {}
        self._lock = threading.Lock()

    def find_cell(self, subject_id: bytes, quarter: str) -> KeyCell:
        """Return the cell of keys that are about to be read."""
        place = (subject_id, quarter)
        with self._lock:
            cell = self._replacing.get(place) or self._cells.get(place)
            if cell is None:
                cell = self._cells[place] = KeyCell()
            return cell

    @contextmanager
    def replacing(self, places: Collection[Place]) -> Iterator[None]:
        """Have all lose who hold, or read meanwhile, the keys of these places.

        To be left only when the new keys are committed, or surely never will be.
        """
        with self._lock:
            for place in places:
                cell = self._cells.pop(place, None) or KeyCell()
                cell.replaced = True
                self._replacing[place] = cell
        try:
            yield
        finally:
            with self._lock:
                for place in places:
                    self._replacing.pop(place, None)

    async def replace(
        self, places: Collection[Place], append: Callable[[], Awaitable[object]]
    ) -> None:
        """Have `append` write new keys for these places; raises what it raises.

        A caller that is cancelled may still find it written: until then all go on losing.
        """

        async def hold() -> None:
            with self.replacing(places):
                await append()

        await asyncio.shield(hold())
