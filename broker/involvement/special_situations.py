"""Special situations: why a resident is told later, until when, and how it opens.

Rules: a special situation belongs to one occasion; where the ground is safety it never opens by
itself: a named person decides, and what is overdue is counted. It is renewed by at most two weeks
each time, so that somebody keeps deciding. Source: AVG 23, UAVG 41; Wmo 2015 5.3.2(4)
(legal_check: open for the terms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Connection

from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional, SpecialSituation

LONGEST_RENEWAL = timedelta(days=14)
KEPT_OPENED = timedelta(days=365)
# What waits for a person outlasts every entry about it: nobody may forget to tell.
KEPT_OVERDUE = timedelta(days=7_400)
State = Literal["declared", "due", "overdue", "opened"]


class RenewalRefusedError(PartyError):
    """A term that a renewal cannot give."""

    code = "renewal_refused"
    default_detail = (
        "A special situation is renewed before it is opened, to a later moment, "
        "by at most 14 days from now or from its present end."
    )


@dataclass(frozen=True, slots=True)
class SpecialSituationRow:
    """A special situation as stated (a renewal moves its `until_at`), with what became of it."""

    occasion_id: bytes = field(repr=False)
    stated: SpecialSituation
    declared_at: datetime
    opened_at: datetime | None = None
    opened_by: Professional | None = None


def derive_row_end(situation: SpecialSituationRow) -> datetime:
    """Return when its row may be destroyed: a year after it opened, or with its last entry."""
    if situation.opened_at is not None:
        return situation.opened_at + KEPT_OPENED
    return situation.stated.until_at + KEPT_OVERDUE


def derive_state(situation: SpecialSituationRow, now: datetime) -> State:
    """Return where it stands: `due` opens by itself, `overdue` waits for a person."""
    if situation.opened_at is not None:
        return "opened"
    if now < situation.stated.until_at:
        return "declared"
    return "due" if situation.stated.opening == "automatic" else "overdue"


def require_renewal(situation: SpecialSituationRow, until_at: datetime, now: datetime) -> None:
    """Raise RenewalRefusedError unless the term may be moved to `until_at`."""
    start = max(now, situation.stated.until_at)
    allowed = start < until_at <= start + LONGEST_RENEWAL
    if situation.opened_at is not None or not allowed:
        raise RenewalRefusedError


class SpecialSituations(Protocol):
    """Where special situations lie; they are found together with their occasion."""

    def declare(self, conn: Connection, situation: SpecialSituationRow) -> None:
        """Add one, in place of an opened one; RaceLost where one is not opened yet."""

    def find_situation(self, conn: Connection, occasion_id: bytes) -> SpecialSituationRow | None:
        """Return the special situation of an occasion, opened or not."""

    def list_unopened(self, conn: Connection, limit: int) -> tuple[SpecialSituationRow, ...]:
        """Return what is not opened, the earliest end first."""

    def renew(
        self, conn: Connection, occasion_id: bytes, until_at: datetime, now: datetime
    ) -> None:
        """Move the end. Raises RenewalRefusedError, and RaceLost where there is none to renew."""

    def mark_opened(
        self, conn: Connection, occasion_id: bytes, by: Professional | None, now: datetime
    ) -> None:
        """Mark it opened, by a person or (None) by its term; RaceLost where it is already."""
