"""The months that were counted for public figures and partners' own, each once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oversight_months",
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("counted_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_oversight_months_until", "oversight_months", ["until_at"])


def downgrade() -> None:
    op.drop_table("oversight_months")
