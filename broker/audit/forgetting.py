"""What the ratchet need not hold any more: ends that no backup could bring back.

Rule: an end is forgotten only when no backup that lacks it can be opened; no clock decides.

1. A record is needed only to end again, in a restored database, what ended after the backup.
2. A backup opens only with the generation of the KEK that was the newest when it was made
   (decision 0015), and a generation that was destroyed never comes back.
3. So a record that was made while generation n was the newest is needed as long as any generation
   up to n lives: every backup from before it was made under one of these.
4. The journal is in order. A record `kek_newest n` is written when n is first seen as the newest:
   whatever stands before it was made while the newest was n or older. Generations are seen within
   seconds; a record that came between the start of n and that moment counts as of n: too late,
   never too early.
5. When the oldest living generation is above n, what stands before `kek_newest n` may go, up to the
   first mark that is not below it: generations of a `kek.json` that was put back by hand turn after
   those of the newer one, whose backups open again when that comes back.

Two ways around it are closed. A copy of `kek.json` that is put back by hand has older generations
again: the broker does not start with it (`read_newest`); and before anything is forgotten the
ratchet notes the oldest (`kek_oldest`), so that a restore refuses a backup from below it. A copy of
the database that is put back without `restore` is behind the log's head, which the ratchet never
forgets: the broker does not serve from it. What is no end (which partners are suspended, how far
log, list and bundle got) is never forgotten.
Source: house reference "audit-log", Sequencing ("Ratchet") and Ends.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Final, get_args

from broker.audit.ended import EndedKind
from broker.audit.ports import KekPort
from datwat.party.ratchet import Ratchet

KEK_OLDEST: Final = "kek_oldest"
_NEWEST: Final = "kek_newest"
_ENDS: Final[frozenset[str]] = frozenset(get_args(EndedKind))
_DIGEST_SIZE: Final = 32


def forget_ended(ratchet: Ratchet, kek: KekPort) -> int:
    """Note the newest generation, and forget what no living one's backup could bring back.

    Return how many records went. Raises RatchetError.
    """
    generations = kek.list_generations()
    oldest, newest = generations[0].number, generations[-1].number
    ratchet.record(_NEWEST, str(newest))
    seen = map(int, ratchet.records(_NEWEST))
    over = list(takewhile(lambda number: number < oldest, seen))
    if not over:
        return 0
    if read_oldest(ratchet) < oldest:
        ratchet.advance(KEK_OLDEST, oldest, oldest.to_bytes(_DIGEST_SIZE, "big"))
    return ratchet.forget(_ENDS | {_NEWEST}, (_NEWEST, str(over[-1])))


def read_newest(ratchet: Ratchet) -> int:
    """Return the newest generation of the KEK that was ever seen here; 0 before any was."""
    return max(map(int, ratchet.records(_NEWEST)), default=0)


def read_oldest(ratchet: Ratchet) -> int:
    """Return the oldest generation of the KEK whose backups may be restored; 0 before any went."""
    mark = ratchet.value(KEK_OLDEST)
    return mark.number if mark else 0
