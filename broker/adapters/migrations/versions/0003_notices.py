"""What partners are told without asking, and which partners are suspended here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("partner", sa.String(61), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_notices_next", "notices", ["next_at"])
    op.create_index("ix_notices_until", "notices", ["until_at"])
    op.create_table(
        "suspensions",
        sa.Column("partner", sa.String(61), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("since_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("suspensions")
    op.drop_table("notices")
