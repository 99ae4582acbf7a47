"""The tables by which several processes of one broker tell each other what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds

NAME_LENGTH = 32
_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}


class SharedChange(SQLModel, table=True):
    """How often something changed that each process holds for itself, by its name."""

    __tablename__ = "shared_changes"
    __table_args__: ClassVar[Any] = _NO_ROWID

    name: str = Field(primary_key=True, max_length=NAME_LENGTH)
    number: int = Field(sa_column=Column(BigInteger, nullable=False))


class WeighedChange(SQLModel, table=True):
    """About whom something changed lately that a question may have been weighed on."""

    __tablename__ = "weighed_changes"
    __table_args__: ClassVar[Any] = (Index("ix_weighed_changes_until", "until_at"), _NO_ROWID)

    key: bytes = Field(primary_key=True)
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    until_at: datetime = Field(sa_type=UtcSeconds)


SHARING_MODELS: tuple[type[SQLModel], ...] = (WeighedChange,)
