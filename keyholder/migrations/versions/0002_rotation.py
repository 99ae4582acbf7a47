"""How far the rotation of the scalar is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scalar_rotation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("leaving", sa.Integer, nullable=False),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("highest", sa.Integer, nullable=False),
        sa.Column("permille", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("given_at", sa.BigInteger, nullable=True),
        sa.Column("told_at", sa.BigInteger, nullable=True),
        sa.Column("turned_at", sa.BigInteger, nullable=True),
        sa.Column("is_destroyed", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("scalar_rotation")
