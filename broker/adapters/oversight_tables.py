"""The tables of oversight: what is counted of acts, counted months, seeds of samples, and findings.

Rule: no person's id, name or staff id and no reason lies here in the clear: acts hold keyed numbers
(`pseudonyms/veil.py`), `sealed` the words of a finding, a seed that is not published yet, and the
figures of a month. An act's row has its entry's index and ends with its content; it is in no
backup.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds
from broker.adapters.tables import PARTNER_LENGTH, SLUG_LENGTH, WORD_LENGTH

_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}
ACT_LENGTH = 32
MONTH_LENGTH = 7


def _build_number(*, nullable: bool = False) -> Any:  # noqa: ANN401 - as SQLModel types a field
    return Field(sa_column=Column(BigInteger, nullable=nullable))


class ActRecord(SQLModel, table=True):
    """One act about one person, without its words (`broker/audit/seen.py`)."""

    __tablename__ = "oversight_acts"

    idx: int = Field(
        sa_column=Column(
            BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
        )
    )
    at: datetime = Field(sa_type=UtcSeconds)
    retention_until: datetime = Field(sa_type=UtcSeconds)
    shown_at: datetime | None = Field(sa_type=UtcSeconds)
    act: str = Field(max_length=ACT_LENGTH)
    partner: str = Field(max_length=PARTNER_LENGTH)
    professional: int | None = _build_number(nullable=True)
    subject: int = _build_number()
    occasion: int | None = _build_number(nullable=True)
    purpose: str | None = Field(max_length=SLUG_LENGTH)
    source: str | None = Field(max_length=PARTNER_LENGTH)
    permit: bool
    is_stated: bool
    blade: str | None = Field(max_length=WORD_LENGTH)
    found_nothing: bool
    is_off_hours: bool
    is_blocked: bool
    result: str | None = Field(max_length=WORD_LENGTH)
    goals: str | None = Field(max_length=WORD_LENGTH)
    plan_made: bool | None


class DrawRecord(SQLModel, table=True):
    """A sample: its seed's hash was stated in the log before it was drawn."""

    __tablename__ = "oversight_draws"
    __table_args__: ClassVar[Any] = (Index("ix_oversight_draws_until", "until_at"), _NO_ROWID)

    id: bytes = Field(primary_key=True)
    announced_at: datetime = Field(sa_type=UtcSeconds)
    first: int = _build_number()
    drawn_at: datetime | None = Field(sa_type=UtcSeconds)
    size: int | None = _build_number(nullable=True)
    root: bytes | None
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class FindingRecord(SQLModel, table=True):
    """What an officer found who looked at a row of a review list, and what came of it."""

    __tablename__ = "oversight_findings"
    __table_args__: ClassVar[Any] = (Index("ix_oversight_findings_until", "until_at"), _NO_ROWID)

    id: bytes = Field(primary_key=True)
    review: str = Field(max_length=WORD_LENGTH)
    found_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    outcome: str = Field(max_length=WORD_LENGTH)
    sealed: bytes


class MonthRecord(SQLModel, table=True):
    """The figures of a month, as they were counted once and are given out since."""

    __tablename__ = "oversight_months"
    __table_args__: ClassVar[Any] = (Index("ix_oversight_months_until", "until_at"), _NO_ROWID)

    month: str = Field(primary_key=True, max_length=MONTH_LENGTH)
    counted_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


OVERSIGHT_MODELS: tuple[type[SQLModel], ...] = (DrawRecord, FindingRecord, MonthRecord)
"""What is purged by its own `until_at`; an act's row ends with the content of its entry."""
