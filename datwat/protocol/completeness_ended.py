"""Contents that a bundle withholds, tied to the entry that tells that they ended. Pure.

Rule: a person's own chain says of contents that are gone that they were erased or lost, and names
their places in that chain; a place without contents that no such entry of the same bundle names is
found and counted. Such an entry ends too, untold: then what it named is found as well. Source:
house reference "audit-log", Ends; docs/reference/protocol.md section 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datwat.protocol.completeness import Roll, RollEntry
from datwat.protocol.completeness_entries import find_member
from datwat.protocol.log_cores import EndedPlaces, find_ended

_EVENTS = ("erased", "lost")


def count_unannounced(roll: Roll, rolls: Sequence[Roll]) -> int:
    """Return how many places of a roll are without contents, and no notice in `rolls` says so.

    A notice is of the same chain, and was written after what it names.
    """
    if not any(entry.is_erased for entry in roll.entries):
        return 0
    chain = (entry for one in rolls if one.audience == roll.audience for entry in one.entries)
    notices = [
        (entry.index, places)
        for entry in chain
        if (places := _list_named(entry, roll.quarter)) and not entry.is_erased
    ]
    latest = find_latest(len(roll.entries), notices)
    return sum(entry.is_erased and latest[entry.n] <= entry.index for entry in roll.entries)


def find_latest(count: int, notices: Iterable[tuple[int, Sequence[EndedPlaces]]]) -> list[int]:
    """Return for each place the index of the last notice that names it, -1 where none does.

    Each place is written once, however often it is named: no bundle holds up its reader.
    """
    latest = [-1] * count
    # Of each place the first from there on that is not written yet.
    following = list(range(count + 1))

    def find(place: int) -> int:
        while following[place] != place:
            following[place] = following[following[place]]
            place = following[place]
        return place

    for index, places in sorted(notices, key=lambda notice: notice[0], reverse=True):
        for one in places:
            place = find(min(one.first, count))
            while place < count and place <= one.last:
                latest[place] = index
                following[place] = place + 1
                place = find(place)
    return latest


def _list_named(entry: RollEntry, quarter: str) -> list[EndedPlaces]:
    ended = find_ended(entry.core) if entry.core else None
    if ended is None or find_member(entry.payload, "event") not in _EVENTS:
        return []
    return [places for places in ended.places if places.quarter == quarter]
