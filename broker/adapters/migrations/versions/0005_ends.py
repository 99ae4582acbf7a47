"""What a restore could not bring back, until the persons whom it is about were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "log_lost",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("audience", sa.String(8), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_log_lost_subject", "log_lost", ["subject_id"])


def downgrade() -> None:
    op.drop_table("log_lost")
