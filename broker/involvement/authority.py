"""Authority (gezag): who decides for a child or adult, how it was checked, until when it holds.

Rule: a record is a fact with a date and a source, weighed by policy; that parents disagree is a
record too. What is past its end is absent. Source: BW boek 1 titel 14 and 16; Jeugdwet 7.3.4
(legal_check: open).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, Self

from pydantic import Field
from sqlalchemy import Connection

from datwat.protocol.acts import Authority
from datwat.protocol.values import Bytes16, PartyId


class AuthorityRow(Authority):
    """That a partner checked who has authority over this person."""

    id: Bytes16 = Field(repr=False)
    subject_id: Bytes16 = Field(repr=False)
    recorded_by: PartyId

    @classmethod
    def build(
        cls,
        stated: Authority,
        *,
        row_id: bytes,
        subject_id: bytes,
        recorded_by: str,
    ) -> Self:
        """Return the row of a record as it is stated."""
        return cls(**dict(stated), id=row_id, subject_id=subject_id, recorded_by=recorded_by)


class Authorities(Protocol):
    """Where records of authority lie."""

    def add(self, conn: Connection, row: AuthorityRow) -> None:
        """Add a record; an earlier one stays until its own end."""

    def list_current(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[AuthorityRow, ...]:
        """Return the records about a person that hold at `now`, the newest first."""

    def end(self, conn: Connection, row: AuthorityRow, now: datetime) -> None:
        """End a record now; RaceLost where it is gone."""
