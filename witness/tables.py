"""The witness's tables: the log as far as it was followed, what was vouched for, and alarms.

Nothing here is about a person: a log's entries are public and pseudorandom.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table
from sqlmodel import Field, SQLModel

from datwat.party.tag_index import build_tag_table

METADATA = MetaData()
MIGRATIONS = Path(__file__).parent / "migrations"


class WitnessTable(SQLModel):
    """Base with metadata of its own: parties in one process share no table names."""

    metadata = METADATA


class Followed(WitnessTable, table=True):
    """The one row that says how far the log was followed.

    `edge` is the right edge of the tree, `covered` the size that its newest tag root speaks of,
    `note` the signed checkpoint against which the tree was proved.
    """

    __tablename__ = "followed"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    origin: str = Field(sa_column=Column(String(250), nullable=False))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    edge: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    covered: int = Field(sa_column=Column(BigInteger, nullable=False))
    roots: int = Field(sa_column=Column(BigInteger, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))  # Unix seconds


class WaitingTag(WitnessTable, table=True):
    """A tag that no tag root covers yet."""

    __tablename__ = "waiting_tags"

    idx: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    tag: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))


class Vouched(WitnessTable, table=True):
    """The newest checkpoint that was vouched for, with this witness's own lines under it."""

    __tablename__ = "vouched"

    origin: str = Field(sa_column=Column(String(250), primary_key=True))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


class Alarm(WitnessTable, table=True):
    """What the log signed and an honest one does not: the two notes are the evidence.

    `held` is what was accepted before (empty for the first), `shown` what came now.
    """

    __tablename__ = "alarms"

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    code: str = Field(sa_column=Column(String(64), nullable=False))
    detail: str = Field(sa_column=Column(String(500), nullable=False))
    held: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    shown: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    seen_at: int | None = Field(default=None, sa_column=Column(BigInteger))
    seen_by: str | None = Field(default=None, sa_column=Column(String(64)))


FOLLOWED: Table = METADATA.tables["followed"]
WAITING_TAGS: Table = METADATA.tables["waiting_tags"]
VOUCHED: Table = METADATA.tables["vouched"]
ALARMS: Table = METADATA.tables["alarms"]
LOG_TAGS: Table = build_tag_table(METADATA)
