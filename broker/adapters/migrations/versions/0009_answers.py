"""What is still owed to a person: urgent reviews, disputes, wrong persons, desks, telling."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("number", sa.String(12), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("partner", sa.String(61), nullable=False),
        sa.Column("occasion_id", sa.LargeBinary, nullable=True),
        sa.Column("waits_on", sa.LargeBinary, nullable=True),
        sa.Column("since_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    columns = ["kind", "due_at", "number"]
    op.create_index("ix_duties_open", "duties", columns, sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_duties_number", "duties", ["number"])
    op.create_index("ix_duties_subject", "duties", ["subject_id", "kind"])
    op.create_index("ix_duties_until", "duties", ["until_at"])


def downgrade() -> None:
    op.drop_table("duties")
