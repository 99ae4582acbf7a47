"""Duties: what an officer, or a coordinator, still owes a person, and until when.

Rules: a duty begins in the transaction of the act that it follows from, so that none is forgotten;
it has a term and an end; what rests on a special situation that is not opened is in no list. It
names nobody in the clear. The kinds and their terms:
- `urgent`: a question in a crisis is reviewed afterwards, within two working days;
- `dispute`: parents who disagree: the consents of the child wait for an officer, a month;
- `wrong_person`: data stood with the wrong person: was it a breach? 72 hours (AVG 33(1));
- `desk`: who asked at a counter reads no log: the answer goes on paper, within a month;
- `tell`: who was named in an occasion without being told is told, a month at most (AVG 14(3)(a)).
Source: AVG 12(3), 13-14, 33; domain.md ("What law and practice ask of the model", 2, 5, 7, 11, 14).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from sqlalchemy import Connection

from broker.consent.models import derive_answer_end
from broker.consent.working_days import derive_working_end

DutyKind = Literal["urgent", "dispute", "wrong_person", "desk", "tell"]
REVIEW_DAYS: Final = 2
BREACH_TERM: Final = timedelta(hours=72)
KEPT_SETTLED: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Settled:
    """How a duty was met: the word for it, what was said of it, and by whom (in which role)."""

    outcome: str
    text: str = field(default="", repr=False)
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing that is owed to a person; `rid` is that of the act which it follows from.

    `waits_on` is the occasion whose special situation keeps it out of every list until it opens.
    """

    id: bytes = field(repr=False)
    kind: DutyKind
    subject_id: bytes = field(repr=False)
    partner: str
    since_at: datetime
    due_at: datetime
    until_at: datetime
    rid: bytes = field(repr=False)
    act: str
    purpose: str | None = None
    occasion_id: bytes | None = field(default=None, repr=False)
    waits_on: bytes | None = field(default=None, repr=False)
    ended_at: datetime | None = None
    settled: Settled | None = None

    @property
    def number(self) -> str:
        """The number by which officers name it: it tells nothing about it."""
        return derive_duty_number(self.id)


def derive_duty_number(duty_id: bytes) -> str:
    """Return the number of a duty: twelve hex digits of a hash of its id."""
    return hashlib.sha256(b"dw-duty/v1\0" + duty_id).hexdigest()[:12]


def derive_due(kind: DutyKind, since_at: datetime, inform_by: datetime | None = None) -> datetime:
    """Return when a duty that begins at `since_at` is due; `inform_by` may only be earlier."""
    if kind == "urgent":
        return derive_working_end(since_at, REVIEW_DAYS)
    if kind == "wrong_person":
        return since_at + BREACH_TERM
    month = derive_answer_end(since_at)
    return month if inform_by is None else min(month, max(inform_by, since_at))


class Duties(Protocol):
    """Where duties lie. What is past its end at `now` is absent."""

    def add(self, conn: Connection, duty: Duty) -> None:
        """Add a duty."""

    def find(self, conn: Connection, kind: DutyKind, number: str, now: datetime) -> Duty | None:
        """Return a duty by its number, met or not; None where it waits on a special situation."""

    def list_open(
        self, conn: Connection, kind: DutyKind, now: datetime, limit: int, partner: str | None
    ) -> Sequence[Duty]:
        """Return what is not met, the earliest due first; of one partner, or of all."""

    def settle(self, conn: Connection, duty: Duty, settled: Settled, now: datetime) -> None:
        """Write how a duty was met; RaceLost where it was met already."""

    def end_telling(
        self, conn: Connection, subject_id: bytes, occasions: Sequence[bytes], now: datetime
    ) -> None:
        """End the duty to tell a person of these occasions: they were told, or were the wrong one.

        Nothing happens where there is none.
        """
