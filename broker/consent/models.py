"""What a resident said as it is kept, and when it counts.

Rules: a consent has the form that the law of its purpose asks, an end, and can be withdrawn; once
withdrawn it never counts again; a stranger's consent cannot be withdrawn. An objection is open
until an officer answers it, within a month; a question too. A block names one organisation that may
not look. `recorded_at` is the moment of the entry that tells of a row, by which it is found;
`lifted_at` when the person took back alone what a representative can read: it counts no more, and
the representative sees it as before (audit-log.md, "Chains").
Source: AVG 7, 12(3), 18, 21; Jeugdwet 7.3.11; UAVG 5; Wmo 2015 5.1.1(4).
"""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import Self

from pydantic import Field

from datwat.protocol.acts import Consent, Objection, Professional, Question
from datwat.protocol.own_affairs import ObjectionState, Remedy
from datwat.protocol.values import Bytes16, Moment, PartyId, PlainText, Value

_MONTHS = 12


def derive_answer_end(asked_at: datetime) -> datetime:
    """Return until when an objection or question is to be answered: a month later (AVG 12(3)).

    On the same day of the next month, or its last day where there is none.
    """
    year, month = divmod(asked_at.year * _MONTHS + asked_at.month, _MONTHS)
    day = min(asked_at.day, calendar.monthrange(year, month + 1)[1])
    return asked_at.replace(year=year, month=month + 1, day=day)


class Reply(Value):
    """What an officer answered, and the remedy that the answer names."""

    by: Professional = Field(repr=False)
    text: PlainText = Field(min_length=1, repr=False)
    remedy: Remedy | None = None


class ConsentRow(Consent):
    """A consent; `recorded_by` wrote it down (a partner or the portal)."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId
    recorded_at: Moment | None = None
    withdrawn_at: Moment | None = None

    @classmethod
    def build(
        cls,
        stated: Consent,
        *,
        row_id: bytes,
        subject_id: bytes,
        recorded_by: str,
        recorded_at: datetime | None = None,
    ) -> Self:
        """Return the row of a consent as it is stated."""
        return cls(
            **dict(stated),
            id=row_id,
            subject_id=subject_id,
            recorded_by=recorded_by,
            recorded_at=recorded_at,
        )


class ObjectionRow(Objection):
    """An objection and the officer's answer, until the retention of its entry ends."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId
    recorded_at: Moment | None = None
    until_at: Moment
    state: ObjectionState = "open"
    answered_at: Moment | None = None
    reply: Reply | None = None
    lifted_at: Moment | None = None

    @property
    def waiting_since(self) -> datetime:
        """Since when it waits for an answer: it was recorded then, whatever day was stated."""
        return self.recorded_at or self.made_at

    @classmethod
    def build(
        cls,
        stated: Objection,
        *,
        row_id: bytes,
        subject_id: bytes,
        recorded_by: str,
        until_at: datetime,
        recorded_at: datetime | None = None,
    ) -> Self:
        """Return the row of an objection as it is made."""
        return cls(
            **dict(stated),
            id=row_id,
            subject_id=subject_id,
            recorded_by=recorded_by,
            recorded_at=recorded_at,
            until_at=until_at,
        )


class BlockRow(Value):
    """That a resident named an organisation which may not look, until they take it back."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    organisation: PartyId
    recorded_by: PartyId
    since_at: Moment
    until_at: Moment
    lifted_at: Moment | None = None


class QuestionRow(Question):
    """A question and the officer's answer, until the retention of its entry ends."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId
    asked_at: Moment
    until_at: Moment
    answered_at: Moment | None = None
    reply: Reply | None = None


class ErasureRow(Value):
    """A wish that the contents of an entry be erased, by its number; it ends when it is answered.

    `asked_at` is the moment of the wish's own entry.
    """

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    erases: int
    asked_at: Moment
    until_at: Moment


class Shield(Value):
    """That a person shielded themselves: since when by themselves, since when as represented.

    Both in one row: what a child asked for alone is nothing that a representative sees or ends.
    `lifted`: the person took it back, and a representative goes on to see it as they asked for it.
    """

    own_at: Moment | None
    open_at: Moment | None
    until_at: Moment
    lifted: bool = False

    def derive_end(self, since_at: datetime) -> datetime:
        """Return when it would end had it been asked for at `since_at` alone: the newest counts."""
        newest = max(at for at in (self.own_at, self.open_at) if at is not None)
        return since_at + (self.until_at - newest)

    def leave(self, since_at: datetime, *, own: bool, lifted: bool = False) -> Self:
        """Return what is left of it: what was asked for at `since_at`, with whose eyes."""
        return self.model_copy(
            update={
                "own_at": since_at if own else None,
                "open_at": None if own else since_at,
                "until_at": self.derive_end(since_at),
                "lifted": lifted,
            }
        )
