"""What the entries of a log say to everybody: their tags, and the roots stated over these. Pure.

Rule: an entry is read in its one form or not at all; a tag root speaks of what lies before it, and
none speaks of less than the one before (else an older root could hide what is new).
Source: house reference "audit-log", Entry and Completeness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from datwat.protocol.entry import ENTRY_LENGTH, ENTRY_VERSION, ZERO_REF, EntryType
from datwat.protocol.tag_tree import Leaf
from witness.errors import LogEntryError, LogTagRootError

_SIZE_BYTES = 8
_ROOT_PADDING = bytes(24)


class StatedRoot(NamedTuple):
    """A tag root as the entry at `place` states it: over the tags of log[0:size)."""

    place: int
    size: int
    root: bytes


class Reading(NamedTuple):
    """The tags of some entries with their indices, and the roots stated among them, in order."""

    tags: list[Leaf]
    roots: list[StatedRoot]


def read_entries(start: int, entries: Sequence[bytes], stated_before: int) -> Reading:
    """Return what the entries from index `start` on say; `stated_before` is the last root's size.

    Raises:
        LogEntryError: something is not an entry.
        LogTagRootError: a root over what is not there yet, or over less than the one before.
    """
    tags: list[Leaf] = []
    roots: list[StatedRoot] = []
    for index, entry in enumerate(entries, start):
        if len(entry) != ENTRY_LENGTH or entry[0] != ENTRY_VERSION:
            raise _not_an_entry(index)
        kind = entry[1]
        if kind == EntryType.PERSON.value:
            tags.append((entry[2:34], index))
        elif kind == EntryType.TAG_ROOT.value:
            stated = _read_root(index, entry)
            if stated.size < stated_before:
                raise wrong_root(index)
            stated_before = stated.size
            roots.append(stated)
        elif kind != EntryType.STATEMENT.value or entry[2:34] != ZERO_REF:
            raise _not_an_entry(index)
    return Reading(tags, roots)


def wrong_root(index: int) -> LogTagRootError:
    """Return the error for the tag root that the entry at `index` states."""
    return LogTagRootError(
        f"Entry {index} states a root over the log's tags that is not the one over them: "
        "an entry was hidden, or added without being counted. Keep the checkpoint as evidence.",
        index=index,
    )


def _read_root(index: int, entry: bytes) -> StatedRoot:
    size = int.from_bytes(entry[2 : 2 + _SIZE_BYTES], "big")
    if entry[2 + _SIZE_BYTES : 34] != _ROOT_PADDING or size > index:
        raise wrong_root(index)
    return StatedRoot(index, size, entry[34:])


def _not_an_entry(index: int) -> LogEntryError:
    return LogEntryError(
        f"What the log holds at {index} is not an entry of a version known here: "
        "use a newer version of this software, or keep the checkpoint as evidence.",
        index=index,
    )
