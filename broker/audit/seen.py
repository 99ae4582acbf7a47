"""What oversight counts of an entry: the act about one person, without any of its words.

Rules: it is written in the transaction of its entry and ends with that entry's content; persons and
professionals are numbers under a key of the broker; what waits for its opening has no moment from
which it may be shown, and so stands in no list, no count and no figure (promise 5).
Source: AVG 5(2), 25, 32; house reference "audit-log", Ends; docs/decisions/0021.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SeenAct:
    """One act about one person. `partner` and `source` are parties' ids, the rest codes.

    `professional`, `subject` and `occasion` are keyed numbers (`pseudonyms/veil.py`); `shown_at` is
    from when it counts, None while it waits. `is_stated`: the stated facts alone would permit, so
    that an inquiry's refusal is none that the requester was told; `blade` is the first that denied.
    `found_nothing`: an inquiry that showed nobody, or a release that cites what was never shown to
    the requester. `is_blocked`: the person does not want this organisation to look. `result` says
    what kind of act it was (of an opened occasion its kind, of a closed one why, of a wish what, of
    what was only weighed the act).
    """

    at: datetime
    retention_until: datetime
    shown_at: datetime | None
    act: str
    partner: str
    professional: int | None = field(repr=False)
    subject: int = field(repr=False)
    occasion: int | None = field(repr=False)
    purpose: str | None
    source: str | None
    permit: bool
    is_stated: bool
    blade: str | None
    found_nothing: bool
    is_off_hours: bool
    is_blocked: bool
    result: str | None
    goals: str | None
    plan_made: bool | None
