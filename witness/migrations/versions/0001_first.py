"""How far the log was followed, its tags, what was vouched for, and alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from datwat.party.tag_index import build_tag_columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "followed",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(250), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("covered", sa.BigInteger, nullable=False),
        sa.Column("roots", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table("log_tags", *build_tag_columns(), sqlite_with_rowid=False)
    op.create_table(
        "waiting_tags",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.LargeBinary, nullable=False, unique=True),
    )
    op.create_table(
        "vouched",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alarms",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("held", sa.LargeBinary, nullable=False),
        sa.Column("shown", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger),
        sa.Column("seen_by", sa.String(64)),
    )


def downgrade() -> None:
    for table in ("alarms", "vouched", "waiting_tags", "log_tags", "followed"):
        op.drop_table(table)
