"""What a partner reads of its own use of the exchange in a month.

Rule: only what it was told itself: an inquiry that a person's facts refused counts as *nobody*, as
it was answered; a source hears of a question only where data were asked of it; what waits for its
opening is in no number. Source: docs/reference/protocol.md section 5.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from datwat.protocol.values import Bytes16, MonthText, PartyId, Slug, Value


class UseFigures(Value):
    """One kind of use for one purpose, in persons: asked, and of these refused, nobody, off hours.

    `role`: whether the partner asked, or was asked as a source. `purpose` is None for acts that
    have none. `off_hours`: outside 7:00 to 19:00 on a working day.
    """

    role: Literal["requester", "source"]
    act: Slug
    purpose: Slug | None
    asked: int = Field(ge=0)
    refused: int = Field(ge=0)
    nobody: int = Field(ge=0)
    off_hours: int = Field(ge=0)


class OwnFigures(Value):
    """A partner's own use of a month that is over, counted once: the same whenever it is asked."""

    v: Literal[1]
    rid: Bytes16
    partner: PartyId
    month: MonthText
    rows: tuple[UseFigures, ...] = Field(max_length=10_000)
