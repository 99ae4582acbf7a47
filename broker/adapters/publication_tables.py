"""The tables of what the log shows to outsiders; everything in them is public.

Rule: all of it follows from the log's entries and from what witnesses signed; `log_tag_roots` gets
its row in the transaction of the entry that states the root.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table
from sqlmodel import SQLModel

from datwat.party.tag_index import build_tag_table

_INDEX = BigInteger().with_variant(Integer, "sqlite")

LOG_TAGS = build_tag_table(SQLModel.metadata)
LOG_TAG_ROOTS = Table(
    "log_tag_roots",
    SQLModel.metadata,
    Column("size", _INDEX, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
)
LOG_COSIGNED = Table(
    "log_cosigned",
    SQLModel.metadata,
    Column("origin", String(250), primary_key=True),
    Column("size", _INDEX, nullable=False),
    Column("note", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
LOG_GENERATIONS = Table(
    "log_generations",
    SQLModel.metadata,
    Column("origin", String(250), primary_key=True),
    Column("note", LargeBinary, nullable=False),
    Column("size", _INDEX, nullable=False),
    Column("kept", _INDEX, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    # The last subject that was told of it; null once all were.
    Column("told", LargeBinary),
    sqlite_with_rowid=False,
)
LOG_PAST_ENTRIES = Table(
    "log_past_entries",
    SQLModel.metadata,
    Column("origin", String(250), primary_key=True),
    Column("idx", _INDEX, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
