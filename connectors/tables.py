"""The client's tables: which reference of the broker belongs to which number of the partner.

Rule (promise 1): no BSN, no name and no date of birth is ever stored here. References are secrets
between broker and this partner, tokens are kept as hashes. Times are Unix seconds.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = MetaData()

clients = Table(
    "clients",
    metadata,
    Column("number", String(200), primary_key=True),
    Column("handle", LargeBinary(16), nullable=False, index=True),
    Column("known_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False, index=True),
)
involvements = Table(
    "involvements",
    metadata,
    Column("client", String(200), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("reference", LargeBinary(16), nullable=False, index=True),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True, index=True),
    Column("run", Integer, nullable=True),
)
occasions = Table(
    "occasions",
    metadata,
    Column("number", String(200), primary_key=True),
    Column("reference", LargeBinary(16), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=True),
    Column("kind", String(64), nullable=True),
    Column("team", String(200), nullable=True),
    Column("handlers", LargeBinary, nullable=True),
)
occasion_members = Table(
    "occasion_members",
    metadata,
    Column("occasion", String(200), ForeignKey("occasions.number"), primary_key=True),
    Column("client", String(200), primary_key=True),
    Column("place", Integer, nullable=False),
)
# Who works on an open occasion now or will: staff find theirs without reading everybody's.
occasion_staff = Table(
    "occasion_staff",
    metadata,
    Column("professional", String(64), primary_key=True),
    Column(
        "occasion",
        String(200),
        ForeignKey("occasions.number"),
        primary_key=True,
        index=True,
    ),
)
pointers = Table(
    "pointers",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("client", String(200), nullable=False),
    Column("reference", LargeBinary(16), nullable=False, index=True),
    Column("source", String(64), nullable=True),
    Column("shown_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("client", "reference", name="uq_pointers_client_reference"),
)
contact_requests = Table(
    "contact_requests",
    metadata,
    Column("reference", LargeBinary(16), primary_key=True),
    Column("client", String(200), nullable=False),
    Column("source", String(64), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
)
evidence = Table(
    "evidence",
    metadata,
    Column("rid", LargeBinary(16), primary_key=True),
    Column("act", String(64), nullable=False),
    Column("sent_at", BigInteger, nullable=False, index=True),
    Column("message", LargeBinary, nullable=False),
    Column("context", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", LargeBinary, nullable=True),
    Column("staff", String(64), nullable=True),
    Column("occasion", LargeBinary(16), nullable=True, index=True),
    Index("ix_evidence_state", "state", "sent_at"),
    Index("ix_evidence_staff", "staff", "sent_at"),
)
applications = Table(
    "applications",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)
sync_runs = Table(
    "sync_runs",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=True),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger, nullable=True),
    Column("state", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("registered", Integer, nullable=False),
    Column("reconfirmed", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
)
sync_failures = Table(
    "sync_failures",
    metadata,
    Column("run", Integer, ForeignKey("sync_runs.run"), primary_key=True),
    Column("client", String(200), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("code", String(64), nullable=False),
)
