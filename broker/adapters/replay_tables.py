"""The table of replays: what was put beside what, how far it is, and what was counted.

Rules: what was counted lies sealed, for a small number may tell that something waits to be told;
the archive, of the bundle in force when it began, is public; every row has an end.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds

_DIGEST_LENGTH = 64
_STATE_LENGTH = 8
_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class ReplayRecord(SQLModel, table=True):
    """One replay. `runner`: the process that may go on with it; `digest`: that of the draft."""

    __tablename__ = "replays"
    __table_args__ = (
        Index("ix_replays_digest", "digest", "number"),
        Index("ix_replays_until", "until_at"),
    )

    number: int = Field(sa_column=Column(_NUMBER, primary_key=True, autoincrement=True))
    digest: str = Field(max_length=_DIGEST_LENGTH)
    state: str = Field(max_length=_STATE_LENGTH)
    runner: bytes
    at_index: int = Field(sa_column=Column(BigInteger, nullable=False))
    started_at: datetime = Field(sa_type=UtcSeconds)
    ended_at: datetime | None = Field(sa_type=UtcSeconds)
    signed_off_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    archive: bytes
    sealed: bytes


REPLAY_MODELS: tuple[type[SQLModel], ...] = (ReplayRecord,)
