"""Clients that ask for decisions, the decisions they got, and what LDV is still to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_clients",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("partner", sa.String(61), nullable=False),
        sa.Column("jwk", sa.String(2_048), nullable=False),
        sa.Column("since_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "access_tokens",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("partner", sa.String(61), nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spent_assertions",
        sa.Column("jti_hash", sa.LargeBinary, primary_key=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision_log",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("chained", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "processing_outbox",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    for table in ("access_clients", "access_tokens", "spent_assertions", "decision_log"):
        op.create_index(f"ix_{table}_until", table, ["until_at"])
    op.create_index("ix_processing_outbox_next", "processing_outbox", ["next_at"])
    op.create_index("ix_processing_outbox_until", "processing_outbox", ["until_at"])


def downgrade() -> None:
    for table in (
        "processing_outbox",
        "decision_log",
        "spent_assertions",
        "access_tokens",
        "access_clients",
    ):
        op.drop_table(table)
