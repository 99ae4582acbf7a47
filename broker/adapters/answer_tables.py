"""The table of duties: what is still owed to a person, by whom and until when.

Rules: those of `tables.py`: no word about anybody lies here in the clear; a row ends with the entry
of the act that it follows from, or a year after it was met.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds

_NOT_MET = text("ended_at IS NULL")
_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}
_NUMBER_LENGTH = 12
_KIND_LENGTH = 20
_PARTNER_LENGTH = 61


class DutyRecord(SQLModel, table=True):
    """A duty; which act it follows from, and how it was met, are sealed."""

    __tablename__ = "duties"
    __table_args__ = (
        Index(
            "ix_duties_open",
            "kind",
            "due_at",
            "number",
            sqlite_where=_NOT_MET,
            postgresql_where=_NOT_MET,
        ),
        Index("ix_duties_number", "number"),
        Index("ix_duties_subject", "subject_id", "kind"),
        Index("ix_duties_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    number: str = Field(max_length=_NUMBER_LENGTH)
    kind: str = Field(max_length=_KIND_LENGTH)
    subject_id: bytes
    partner: str = Field(max_length=_PARTNER_LENGTH)
    occasion_id: bytes | None
    waits_on: bytes | None
    since_at: datetime = Field(sa_type=UtcSeconds)
    due_at: datetime = Field(sa_type=UtcSeconds)
    ended_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes
