"""The tables of decisions and traces for others: clients, tokens, decisions, what LDV is told.

Rules: no table here names a resident in the clear; a token lies here by its hash only; the words of
a decision and of a span are sealed, bound to their row; every row has an end (`until_at`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds

CLIENT_LENGTH = 64
PARTNER_LENGTH = 61
LONGEST_JWK = 2_048
_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}


class ClientRecord(SQLModel, table=True):
    """A system that may ask for decisions on behalf of a partner, by its public key."""

    __tablename__ = "access_clients"
    __table_args__: ClassVar[Any] = (Index("ix_access_clients_until", "until_at"), _NO_ROWID)

    client_id: str = Field(primary_key=True, max_length=CLIENT_LENGTH)
    partner: str = Field(max_length=PARTNER_LENGTH)
    jwk: str = Field(max_length=LONGEST_JWK)
    since_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)


class TokenRecord(SQLModel, table=True):
    """An access token by its SHA-256, and for whom it stands."""

    __tablename__ = "access_tokens"
    __table_args__: ClassVar[Any] = (Index("ix_access_tokens_until", "until_at"), _NO_ROWID)

    token_hash: bytes = Field(primary_key=True)
    client_id: str = Field(max_length=CLIENT_LENGTH)
    partner: str = Field(max_length=PARTNER_LENGTH)
    until_at: datetime = Field(sa_type=UtcSeconds)


class AssertionRecord(SQLModel, table=True):
    """A client's assertion that was used: it counts once."""

    __tablename__ = "spent_assertions"
    __table_args__: ClassVar[Any] = (Index("ix_spent_assertions_until", "until_at"), _NO_ROWID)

    jti_hash: bytes = Field(primary_key=True)
    until_at: datetime = Field(sa_type=UtcSeconds)


class DecisionRecord(SQLModel, table=True):
    """A decision on facts that a client stated: sealed, and chained to the one before."""

    __tablename__ = "decision_log"
    __table_args__: ClassVar[Any] = (Index("ix_decision_log_until", "until_at"),)

    number: int = Field(
        sa_column=Column(
            BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
        )
    )
    until_at: datetime = Field(sa_type=UtcSeconds)
    chained: bytes
    sealed: bytes


class ProcessingRow(SQLModel, table=True):
    """A span that the log of processing activities has not acknowledged yet."""

    __tablename__ = "processing_outbox"
    __table_args__: ClassVar[Any] = (
        Index("ix_processing_outbox_next", "next_at"),
        Index("ix_processing_outbox_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    written_at: datetime = Field(sa_type=UtcSeconds)
    next_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


OTHER_MODELS: tuple[type[SQLModel], ...] = (
    ClientRecord,
    TokenRecord,
    AssertionRecord,
    DecisionRecord,
    ProcessingRow,
)
