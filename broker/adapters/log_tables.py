"""The tables of the log and of the keys that its contents lie under.

Rule: what lies on the tree (`log_entries.entry`, `log_nodes`, `log_head`) is public and never
changes; everything else in a row is sealed and can be destroyed.
Source: house reference "audit-log", Entry and Chains.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, LargeBinary, String, Table
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


def derive_seconds(moment: datetime) -> int:
    """Return an aware moment as `UtcSeconds` stores it; raise ValueError rather than guess."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return int(moment.timestamp())


class UtcSeconds(TypeDecorator[datetime]):
    """An aware moment, stored as whole Unix seconds: the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy\'s signature
        """Refuse a naive moment rather than guess its zone."""
        return None if value is None else derive_seconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy\'s signature
        """Return the moment in UTC."""
        return None if value is None else datetime.fromtimestamp(value, UTC)


# SQLite gives only a column of type INTEGER its row number: an index of the log stays small there.
_Index = BigInteger().with_variant(Integer, "sqlite")


def table_of(model: type[SQLModel]) -> Table:
    """Return the SQLAlchemy table of a model, for Core statements."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


class LogHead(SQLModel, table=True):
    """The one row that says how far the log got; locking it makes writers wait for each other."""

    __tablename__ = "log_head"

    id: int = Field(primary_key=True)
    origin: str = Field(sa_column=Column(String(250), nullable=False))
    size: int = Field(sa_column=Column(_Index, nullable=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    delayed_chain_key_sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogEntry(SQLModel, table=True):
    """One entry: its 66 public bytes, its place in a chain, and what is sealed beside it."""

    __tablename__ = "log_entries"
    __table_args__ = (
        Index("ix_log_entries_subject", "subject_id", "idx"),
        Index("ix_log_entries_retention", "retention_until"),
    )

    idx: int = Field(sa_column=Column(_Index, primary_key=True, autoincrement=False))
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    subject_id: bytes | None = Field(sa_column=Column(LargeBinary))
    audience: str | None = Field(sa_column=Column(String(8)))
    quarter: str | None = Field(sa_column=Column(String(6)))
    number: int | None = Field(sa_column=Column(BigInteger))
    sealed: bytes | None = Field(sa_column=Column(LargeBinary))
    input_sealed: bytes | None = Field(sa_column=Column(LargeBinary))
    document: bytes | None = Field(sa_column=Column(LargeBinary))
    at: datetime = Field(sa_column=Column(UtcSeconds, nullable=False))
    retention_until: datetime | None = Field(sa_column=Column(UtcSeconds))


class LogNode(SQLModel, table=True):
    """The hash of a complete subtree of height `level` ≥ 1; level 0 follows from the entry."""

    __tablename__ = "log_nodes"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}

    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    idx: int = Field(sa_column=Column(_Index, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogCounter(SQLModel, table=True):
    """The next free place in a chain and quarter; the chain `delayed` has an id of zeros."""

    __tablename__ = "log_counters"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}

    chain_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    audience: str = Field(sa_column=Column(String(8), primary_key=True))
    quarter: str = Field(sa_column=Column(String(6), primary_key=True))
    next: int = Field(sa_column=Column(BigInteger, nullable=False))


class DataSubject(SQLModel, table=True):
    """A data subject: a random id, and the chain key sealed with that id as context."""

    __tablename__ = "subjects"

    subject_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    chain_key_sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcSeconds, nullable=False))


class QuarterKey(SQLModel, table=True):
    """K(subject, quarter), sealed: destroying the row destroys what was sealed under it."""

    __tablename__ = "log_quarter_keys"
    __table_args__: ClassVar[Any] = {"sqlite_with_rowid": False}

    subject_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    quarter: str = Field(sa_column=Column(String(6), primary_key=True))
    key_sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LostEntry(SQLModel, table=True):
    """An entry that a restore brought back without its content, until its person was told."""

    __tablename__ = "log_lost"
    __table_args__: ClassVar[Any] = (Index("ix_log_lost_subject", "subject_id"),)

    idx: int = Field(sa_column=Column(_Index, primary_key=True, autoincrement=False))
    subject_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    audience: str = Field(sa_column=Column(String(8), nullable=False))
    at: datetime = Field(sa_column=Column(UtcSeconds, nullable=False))
