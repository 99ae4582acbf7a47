"""Consents and objections as they are kept, and when they count.

Rules: a consent has the form that the law of its purpose asks, an end, and can be withdrawn; once
withdrawn it never counts again; a stranger's consent cannot be withdrawn. An objection is open
until an officer answers it, for which there is no page yet.
Source: AVG 7, 21; Jeugdwet 7.3.11; UAVG 5; Wmo 2015 5.1.1(4).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from datwat.protocol.acts import Consent, Objection
from datwat.protocol.values import Bytes16, Moment, PartyId

ObjectionState = Literal["open", "upheld", "rejected"]


class ConsentRow(Consent):
    """A consent; `recorded_by` wrote it down (a partner or the portal)."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId
    withdrawn_at: Moment | None = None

    @classmethod
    def build(
        cls,
        stated: Consent,
        *,
        row_id: bytes,
        subject_id: bytes,
        recorded_by: str,
    ) -> Self:
        """Return the row of a consent as it is stated."""
        return cls(**dict(stated), id=row_id, subject_id=subject_id, recorded_by=recorded_by)


class ObjectionRow(Objection):
    """An objection and the officer's answer, until the retention of its entry ends."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId
    until_at: Moment
    state: ObjectionState = "open"
    answered_at: Moment | None = None

    @classmethod
    def build(
        cls,
        stated: Objection,
        *,
        row_id: bytes,
        subject_id: bytes,
        recorded_by: str,
        until_at: datetime,
    ) -> Self:
        """Return the row of an objection as it is made."""
        return cls(
            **dict(stated),
            id=row_id,
            subject_id=subject_id,
            recorded_by=recorded_by,
            until_at=until_at,
        )
