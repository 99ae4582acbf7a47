"""Replays: the policy that a draft was put beside, how far it is, and what was counted, sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("runner", sa.LargeBinary, nullable=False),
        sa.Column("at_index", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("signed_off_at", sa.BigInteger, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("archive", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_replays_digest", "replays", ["digest", "number"])
    op.create_index("ix_replays_until", "replays", ["until_at"])


def downgrade() -> None:
    op.drop_table("replays")
