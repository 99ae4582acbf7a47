"""Open partners, what they used per day, and spent requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from datwat.party.spent import build_spent_columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "open_partner",
        sa.Column("partner", sa.String(64), primary_key=True),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("first_load", sa.Integer, nullable=False),
    )
    op.create_table(
        "usage",
        sa.Column("partner", sa.String(64), primary_key=True),
        sa.Column("request_class", sa.String(16), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("elements", sa.Integer, nullable=False),
    )
    op.create_table("spent", *build_spent_columns())
    op.create_index("ix_spent_until_at", "spent", ["until_at"])


def downgrade() -> None:
    op.drop_table("spent")
    op.drop_table("usage")
    op.drop_table("open_partner")
