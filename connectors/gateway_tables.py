"""The gateway's tables: what it accepted, what it gave (as hashes), and what it was told.

Rule: no value that was released is ever stored but sealed, and that for ten minutes only. Times are
Unix seconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, UniqueConstraint

from connectors.tables import metadata
from datwat.party.spent import build_spent_table

LOG_SIZE = BigInteger().with_variant(Integer, "sqlite")

gateway_spent = build_spent_table(metadata, "gateway_spent")
gateway_roots = Table(
    "gateway_roots",
    metadata,
    Column("origin", String(250), primary_key=True),
    Column("size", LOG_SIZE, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
)
gateway_alarms = Table(
    "gateway_alarms",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("raised_at", BigInteger, nullable=False),
    Column("held_size", BigInteger, nullable=True),
    Column("held_root", LargeBinary(32), nullable=True),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("cleared_at", BigInteger, nullable=True, index=True),
    Column("cleared_by", String(200), nullable=True),
)
gateway_orders = Table(
    "gateway_orders",
    metadata,
    Column("requester", String(64), primary_key=True),
    Column("rid", LargeBinary(16), primary_key=True),
    Column("origin", String(250), nullable=False),
    Column("log_index", BigInteger, nullable=False, index=True),
    Column("core", LargeBinary, nullable=False),
    Column("payload_hash", LargeBinary(32), nullable=False),
    Column("tag", LargeBinary(32), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("told_at", BigInteger, nullable=True),
    Column("client", String(200), nullable=True, index=True),
)
gateway_opened = Table(
    "gateway_opened",
    metadata,
    Column("origin", String(250), primary_key=True),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("commit", LargeBinary(32), nullable=False),
    Column("told_at", BigInteger, nullable=False, index=True),
)
gateway_contacts = Table(
    "gateway_contacts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("reference", LargeBinary(16), nullable=False),
    Column("client", String(200), nullable=True),
    Column("requester", String(64), nullable=False),
    Column("call_back", LargeBinary, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("until_at", BigInteger, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    UniqueConstraint("reference", name="uq_gateway_contacts_reference"),
)
gateway_ended = Table(
    "gateway_ended",
    metadata,
    Column("reference", LargeBinary(16), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("type", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("told_at", BigInteger, nullable=False, index=True),
)
