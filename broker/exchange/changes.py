"""Whether something that a question was weighed on changed before the question was written.

Rule: a consent that is withdrawn, an objection, or an occasion that is closed counts from the
moment that it is written: whatever was gathered before it and is written after it is gathered anew.
Kept in memory and read for every person alike where a broker has one process: what it weighs when
it ends is not written. Several processes keep it in the database (`adapters/changes_store.py`).
Source: AVG 7(3), 21; architecture.md ("One life").
What cannot change another's answer holds it up for nobody: else one partner could keep a person
from being asked about, and a slower answer would tell that somebody writes about them.

A moment is the number of changes that were written. 1. The reader takes the moment, then reads.
2. In the writer's transaction: nothing of these persons may be changing, nor have changed since.
3. Who changes something says so there, and says it is over once it is durable or given up: what is
read in between may be old, and is refused at 2.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlalchemy import Connection

from broker.pseudonyms.errors import RaceLost

# The acts after which another question about the same person may be weighed otherwise.
CHANGING: Final = frozenset(
    {
        "end", "hand_over", "close_occasion", "record_conversation", "record_consent",
        "record_objection", "record_authority", "declare_special_situation",
        "report_wrong_person", "wish",
    }
)  # fmt: skip
# What is weighed for the partner alone whose occasion it is.
_OF_OWN_OCCASION: Final = frozenset({"hand_over", "record_conversation"})
# Far more than change while one question is weighed.
_MOST_KEPT: Final = 50_000


@dataclass(slots=True)
class Change:
    """One act that changes what is weighed: about these persons, or for one partner about them."""

    keys: Sequence[bytes] = field(repr=False)
    begun: bool = False


def build_keys(partner: str, subject_ids: Sequence[bytes]) -> list[bytes]:
    """Return what a change must not have touched since a question of a partner was gathered."""
    return [*subject_ids, *_build_own(partner, subject_ids)]


def build_change(act: str, partner: str, permitted_ids: Sequence[bytes]) -> Change | None:
    """Return what an act changes for others, or None; it changes nothing where it is refused."""
    if act not in CHANGING or not permitted_ids:
        return None
    return Change(_build_own(partner, permitted_ids) if act in _OF_OWN_OCCASION else permitted_ids)


def _build_own(partner: str, subject_ids: Sequence[bytes]) -> list[bytes]:
    return [partner.encode() + subject_id for subject_id in subject_ids]


class Changes(Protocol):
    """What changed lately."""

    def read_moment(self, conn: Connection) -> int:
        """Return the moment; take it before anything is read that will be weighed."""

    def require_same(self, conn: Connection, keys: Collection[bytes], moment: int) -> None:
        """Raise RaceLost where something under these keys may differ from what was read then."""

    def begin(self, conn: Connection, change: Change) -> None:
        """Say, in the writer's transaction, that it is being written; twice is once."""

    def end(self, change: Change) -> None:
        """Say that it is durable or given up; nothing happens where it never began."""


class ChangesHere:
    """What changed lately, of one process; the writer's thread and the loop share it."""

    def __init__(self, most_kept: int = _MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._lock = threading.Lock()
        self._moment = 0
        self._since = 0
        self._changing: Counter[bytes] = Counter()
        self._changed: OrderedDict[bytes, int] = OrderedDict()

    def read_moment(self, _conn: Connection) -> int:
        """Return the moment; take it before anything is read that will be weighed."""
        with self._lock:
            return self._moment

    def require_same(self, _conn: Connection, keys: Collection[bytes], moment: int) -> None:
        """Raise RaceLost where something under these keys may differ from what was read then."""
        with self._lock:
            if moment < self._since:
                raise RaceLost
            for key in keys:
                if key in self._changing or self._changed.get(key, 0) > moment:
                    raise RaceLost

    def begin(self, _conn: Connection, change: Change) -> None:
        """Say, in the writer's transaction, that it is being written; twice is once."""
        with self._lock:
            if not change.begun:
                change.begun = True
                self._changing.update(change.keys)

    def end(self, change: Change) -> None:
        """Say that it is durable or given up; nothing happens where it never began."""
        with self._lock:
            if not change.begun:
                return
            change.begun = False
            self._moment += 1
            for key in change.keys:
                self._changing[key] -= 1
                if not self._changing[key]:
                    del self._changing[key]
                self._changed[key] = self._moment
                self._changed.move_to_end(key)
            while len(self._changed) > self._most_kept:
                _, self._since = self._changed.popitem(last=False)
