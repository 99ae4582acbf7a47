"""Special situations: why a resident is told later, until when, and how it opens.

Rules: a special situation belongs to one occasion; where the ground is safety it never opens by
itself: a named person decides, and what is overdue is counted. A renewal reaches no further ahead
than the policy's term for its ground, so that somebody keeps deciding. Each has an id of its own:
an entry that waits names it, and opens with it. One that policy refused is kept too, under no
occasion: what it would have hidden is told by a person, not by a slip of the pen. Source: AVG 23,
UAVG 41; Wmo 2015 5.3.2(4) (legal_check: open for the terms).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Connection

from broker.pseudonyms.subjects import draw_id
from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional, SpecialSituation

KEPT_OPENED = timedelta(days=365)
# What waits for a person outlasts every entry about it: nobody may forget to tell.
KEPT_OVERDUE = timedelta(days=7_400)
Place = tuple[datetime, str]
"""The end and the number of a special situation: where it stands in a list."""
# Within this a person looks at what was refused, and opens it.
REFUSED_TERM = timedelta(days=14)
State = Literal["declared", "refused", "due", "overdue", "opened"]


class RenewalRefusedError(PartyError):
    """A term that a renewal cannot give."""

    code = "renewal_refused"
    default_detail = (
        "A special situation is renewed before it is opened, to a later moment, "
        "and no further from now than the policy allows for its ground."
    )


@dataclass(frozen=True, slots=True)
class SpecialSituationRow:
    """A special situation as stated (a renewal moves its `until_at`), with what became of it."""

    occasion_id: bytes = field(repr=False)
    stated: SpecialSituation
    declared_at: datetime
    opened_at: datetime | None = None
    opened_by: Professional | None = None
    id: bytes = field(default_factory=draw_id, repr=False)
    refused: bool = False


def build_refused_situation(stated: SpecialSituation, now: datetime) -> SpecialSituationRow:
    """Return what is kept of a special situation that policy refused: a person opens it.

    It belongs to no occasion: nothing waits on it but the entries about the refusal itself.
    """
    end = {"opening": "by_person", "until_at": now + REFUSED_TERM}
    return SpecialSituationRow(draw_id(), stated.model_copy(update=end), now, refused=True)


def derive_number(situation: SpecialSituationRow) -> str:
    """Return the number by which operators name a special situation: it tells nothing about it."""
    return hashlib.sha256(b"dw-special/v1\0" + situation.occasion_id).hexdigest()[:12]


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
        return "refused" if situation.refused else "declared"
    return "due" if situation.stated.opening == "automatic" else "overdue"


def require_renewal(
    situation: SpecialSituationRow, until_at: datetime, now: datetime, longest: timedelta
) -> None:
    """Raise RenewalRefusedError unless the term may be moved to `until_at`.

    `longest` is the policy's term for a renewal on this ground; it counts from now, as Rego does.
    """
    allowed = max(now, situation.stated.until_at) < until_at <= now + longest
    if situation.refused or situation.opened_at is not None or not allowed:
        raise RenewalRefusedError


class SpecialSituations(Protocol):
    """Where special situations lie; they are found together with their occasion."""

    def declare(self, conn: Connection, situation: SpecialSituationRow) -> None:
        """Add one, in place of an opened one; RaceLost where one is not opened yet."""

    def find_situation(self, conn: Connection, occasion_id: bytes) -> SpecialSituationRow | None:
        """Return the special situation of an occasion, opened or not."""

    def find_unopened(self, conn: Connection, number: str) -> SpecialSituationRow | None:
        """Return what is not opened under a number (`derive_number`)."""

    def list_unopened(
        self, conn: Connection, limit: int, after: Place | None = None
    ) -> tuple[SpecialSituationRow, ...]:
        """Return what is not opened, the earliest end first, from beyond a place in that order."""

    def count_unopened(self, conn: Connection, now: datetime) -> tuple[int, int]:
        """Return how many are not opened, and how many of these are overdue."""

    def list_due(self, conn: Connection, now: datetime, limit: int) -> list[bytes]:
        """Return the occasions whose special situation must open by itself now."""

    def renew(self, conn: Connection, situation: SpecialSituationRow) -> None:
        """Write what is stated anew; RaceLost where this very one does not wait any more."""

    def mark_opened(
        self, conn: Connection, occasion_id: bytes, by: Professional | None, now: datetime
    ) -> None:
        """Mark it opened, by a person or (None) by its term; RaceLost where it is already."""
