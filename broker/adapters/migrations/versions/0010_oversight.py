"""What is counted of acts for oversight, seeds of samples, and findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oversight_acts",
        sa.Column(
            "idx",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("retention_until", sa.BigInteger, nullable=False),
        sa.Column("shown_at", sa.BigInteger, nullable=True),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("partner", sa.String(61), nullable=False),
        sa.Column("professional", sa.BigInteger, nullable=True),
        sa.Column("subject", sa.BigInteger, nullable=False),
        sa.Column("occasion", sa.BigInteger, nullable=True),
        sa.Column("purpose", sa.String(64), nullable=True),
        sa.Column("source", sa.String(61), nullable=True),
        sa.Column("permit", sa.Boolean, nullable=False),
        sa.Column("is_stated", sa.Boolean, nullable=False),
        sa.Column("blade", sa.String(20), nullable=True),
        sa.Column("found_nothing", sa.Boolean, nullable=False),
        sa.Column("is_off_hours", sa.Boolean, nullable=False),
        sa.Column("is_blocked", sa.Boolean, nullable=False),
        sa.Column("result", sa.String(20), nullable=True),
        sa.Column("goals", sa.String(20), nullable=True),
        sa.Column("plan_made", sa.Boolean, nullable=True),
    )
    op.create_table(
        "oversight_draws",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("announced_at", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("drawn_at", sa.BigInteger, nullable=True),
        sa.Column("size", sa.BigInteger, nullable=True),
        sa.Column("root", sa.LargeBinary, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_oversight_draws_until", "oversight_draws", ["until_at"])
    op.create_table(
        "oversight_findings",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("review", sa.String(20), nullable=False),
        sa.Column("found_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_oversight_findings_until", "oversight_findings", ["until_at"])


def downgrade() -> None:
    for name in ("oversight_findings", "oversight_draws", "oversight_acts"):
        op.drop_table(name)
