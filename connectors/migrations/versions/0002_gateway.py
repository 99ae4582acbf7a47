"""The gateway's tables.

Revision: 0002. Rule: no value that was released has a column; sealed answers stay ten minutes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from datwat.party.spent import build_spent_columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LOG_SIZE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table("gateway_spent", *build_spent_columns())
    op.create_index("ix_gateway_spent_until_at", "gateway_spent", ["until_at"])
    op.create_table(
        "gateway_roots",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("size", _LOG_SIZE, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "gateway_alarms",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("raised_at", sa.BigInteger, nullable=False),
        sa.Column("held_size", sa.BigInteger, nullable=True),
        sa.Column("held_root", sa.LargeBinary(32), nullable=True),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        sa.Column("cleared_at", sa.BigInteger, nullable=True),
        sa.Column("cleared_by", sa.String(200), nullable=True),
    )
    op.create_index("ix_gateway_alarms_cleared_at", "gateway_alarms", ["cleared_at"])
    op.create_table(
        "gateway_orders",
        sa.Column("requester", sa.String(64), primary_key=True),
        sa.Column("rid", sa.LargeBinary(16), primary_key=True),
        sa.Column("origin", sa.String(250), nullable=False),
        sa.Column("log_index", sa.BigInteger, nullable=False),
        sa.Column("core", sa.LargeBinary, nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("tag", sa.LargeBinary(32), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=True),
    )
    op.create_index("ix_gateway_orders_log_index", "gateway_orders", ["log_index"])
    op.create_table(
        "gateway_contacts",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("reference", sa.LargeBinary(16), nullable=False),
        sa.Column("client", sa.String(200), nullable=True),
        sa.Column("requester", sa.String(64), nullable=False),
        sa.Column("call_back", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.UniqueConstraint("reference", name="uq_gateway_contacts_reference"),
    )
    op.create_index("ix_gateway_contacts_due_at", "gateway_contacts", ["due_at"])
    op.create_index("ix_gateway_contacts_until_at", "gateway_contacts", ["until_at"])
    op.create_table(
        "gateway_ended",
        sa.Column("reference", sa.LargeBinary(16), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_gateway_ended_told_at", "gateway_ended", ["told_at"])


def downgrade() -> None:
    for table in (
        "gateway_ended",
        "gateway_contacts",
        "gateway_orders",
        "gateway_alarms",
        "gateway_roots",
        "gateway_spent",
    ):
        op.drop_table(table)
