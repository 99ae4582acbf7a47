"""What the log shows to outsiders: its tags in their order, their roots, and what witnesses saw."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    index = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "log_tags",
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("idx", index, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tag_roots",
        sa.Column("size", index, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_cosigned",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("size", index, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_generations",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("size", index, nullable=False),
        sa.Column("kept", index, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("told", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_past_entries",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("idx", index, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("log_past_entries")
    op.drop_table("log_generations")
    op.drop_table("log_cosigned")
    op.drop_table("log_tag_roots")
    op.drop_table("log_tags")
