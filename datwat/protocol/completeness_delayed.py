"""What the auditor's roll proves of each delayed entry: opened in time, late, overdue, gone. Pure.

Rule: every entry counts as exactly one; what is not proved counts against whoever keeps the log.
The term is that of the newest declaration or renewal in the log before the opening, each of which
says when it was stated; the opening says when it opened. Numbered as in docs/reference/protocol.md
section 12.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.completeness import RollEntry, StatedEntry
from datwat.protocol.completeness_entries import find_opened, require_logged
from datwat.protocol.completeness_errors import (
    CompletenessError,
    EndedError,
    OpeningError,
    TermError,
)
from datwat.protocol.deliveries import OpenedCore
from datwat.protocol.entry import derive_commit
from datwat.protocol.log_cores import Term, find_ended, find_term
from datwat.protocol.values import Value

OPENED_WITHIN = timedelta(days=1)
"""How long after its term something may be opened, or its term be moved, and be in time."""


class DelayedCounts(Value):
    """How many delayed entries were found to be what; together all entries of the roll.

    `opened_undated`, `waiting_undated`: no term is shown, or the opening does not say when.
    `ended`: contents gone, which their person was told; whether it was opened first cannot be told.
    `unjudged`: contents gone, and nothing shown: possibly never opened. `by_person`: of those that
    wait, for how many a person decides.
    """

    in_time: int = 0
    late: int = 0
    opened_undated: int = 0
    not_due: int = 0
    overdue: int = 0
    waiting_undated: int = 0
    ended: int = 0
    unjudged: int = 0
    by_person: int = 0

    @property
    def unopened(self) -> int:
        """How many wait."""
        return self.not_due + self.overdue + self.waiting_undated


def count_delayed(
    entries: Sequence[RollEntry], checkpoint: Checkpoint, moment: datetime
) -> DelayedCounts:
    """Return what a roll's entries, checked before, are found to be at `moment`.

    Raises:
        TermError, OpeningError, EndedError: what a delayed entry has beside it does not hold.
    """
    found: Counter[str] = Counter()
    for entry in entries:
        terms = _check_terms(entry, checkpoint)
        opened = _check_opening(entry, checkpoint)
        _check_ended(entry, checkpoint)
        state = _judge(entry, terms, opened, moment)
        found[state] += 1
        waits = state in ("not_due", "overdue")
        found["by_person"] += waits and terms[-1].opening == "by_person"
    return DelayedCounts(**found)


def _judge(
    entry: RollEntry, terms: Sequence[Term], opened: OpenedCore | None, moment: datetime
) -> str:
    moved = all(_is_in_time(later.at, before) for before, later in pairwise(terms))
    if opened is not None:
        if not terms or opened.at is None:
            return "opened_undated"
        return "in_time" if moved and _is_in_time(opened.at, terms[-1]) else "late"
    if entry.is_erased:
        return "ended" if entry.ended is not None else "unjudged"
    if not terms:
        return "waiting_undated"
    # Moved when it was over already: it should have been open, whatever is stated since.
    return "not_due" if moved and _is_in_time(moment, terms[-1]) else "overdue"


def _is_in_time(moment: datetime, term: Term) -> bool:
    # A difference always fits; the last day of the calendar has no day after it.
    return moment - term.until_at <= OPENED_WITHIN


def _check_terms(entry: RollEntry, checkpoint: Checkpoint) -> list[Term]:
    """Step 9: each states a term; the first no later than the entry, the last before its opening.

    That the entry waits under this declaration, and not under another, is the broker's word.
    """
    found = []
    last = -1
    for stated in entry.terms:
        term = find_term(stated.core)
        if term is None or stated.index <= last:
            raise TermError
        _require_stated(stated, checkpoint, TermError)
        last = stated.index
        found.append(term)
    if found and entry.terms[0].index > entry.index:
        raise TermError
    if entry.opening is not None and last >= entry.opening.index:
        raise TermError
    return found


def _check_opening(entry: RollEntry, checkpoint: Checkpoint) -> OpenedCore | None:
    """Step 10: what opened the entry was written after it, and names its index and commit."""
    opening = entry.opening
    if opening is None:
        return None
    opened = find_opened(opening.core)
    if opened is None or opened.index != entry.index or opening.index <= entry.index:
        raise OpeningError
    if not hmac.compare_digest(opened.commit, entry.find_commit() or b""):
        raise OpeningError
    _require_stated(opening, checkpoint, OpeningError)
    return opened


def _check_ended(entry: RollEntry, checkpoint: Checkpoint) -> None:
    """Step 11: what tells that the contents ended was written after the entry, and names it."""
    told = entry.ended
    if told is None:
        return
    ended = find_ended(told.core)
    named = ended is not None and entry.index in ended.entries
    if not named or told.index <= entry.index or not entry.is_erased:
        raise EndedError
    _require_stated(told, checkpoint, EndedError)


def _require_stated(
    stated: StatedEntry, checkpoint: Checkpoint, refusal: type[CompletenessError]
) -> None:
    commit = derive_commit(stated.core, stated.payload_hash)
    require_logged(stated.tag, commit, stated.index, stated.path, checkpoint, refusal)
