"""The key holder's tables: who is open, what they used today, what rotates, and what was answered.

No table holds a person, a point that could be compared, or a purpose; an answer (with its ticket,
sealed to the broker) is kept for ten minutes only.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table
from sqlmodel import Field, SQLModel

from datwat.party.spent import build_spent_table

METADATA = MetaData()
MIGRATIONS = Path(__file__).parent / "migrations"


class KeyHolderTable(SQLModel):
    """Base with metadata of its own: parties in one process share no table names."""

    metadata = METADATA


class OpenPartner(KeyHolderTable, table=True):
    """A partner that the key holder's staff opened; without a row it is closed."""

    __tablename__ = "open_partner"

    partner: str = Field(sa_column=Column(String(64), primary_key=True))
    opened_at: int = Field(sa_column=Column(BigInteger, nullable=False))  # Unix seconds
    first_load: int = Field(sa_column=Column(Integer, nullable=False))  # elements left


class Usage(KeyHolderTable, table=True):
    """How many elements a partner was answered, per class and UTC day."""

    __tablename__ = "usage"

    partner: str = Field(sa_column=Column(String(64), primary_key=True))
    request_class: str = Field(sa_column=Column(String(16), primary_key=True))
    day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    elements: int = Field(sa_column=Column(Integer, nullable=False))


class ScalarRotation(KeyHolderTable, table=True):
    """The rotation that runs, or the last one: one row, which holds no secret."""

    __tablename__ = "scalar_rotation"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    state: str = Field(sa_column=Column(String(8), nullable=False))
    leaving: int = Field(sa_column=Column(Integer, nullable=False))
    current: int = Field(sa_column=Column(Integer, nullable=False))
    highest: int = Field(sa_column=Column(Integer, nullable=False))  # no epoch has it twice
    is_drawn: bool = Field(sa_column=Column(Boolean, nullable=False))
    permille: int = Field(sa_column=Column(Integer, nullable=False))
    begun_at: int = Field(sa_column=Column(BigInteger, nullable=False))  # Unix seconds
    given_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    told_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    turned_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    is_destroyed: bool = Field(sa_column=Column(Boolean, nullable=False))


OPEN_PARTNER: Table = METADATA.tables["open_partner"]
USAGE: Table = METADATA.tables["usage"]
ROTATION: Table = METADATA.tables["scalar_rotation"]
SPENT: Table = build_spent_table(METADATA)
