"""The log: entries, tree, counters, and the keys of subjects and quarters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INDEX = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("origin", sa.String(250), nullable=False),
        sa.Column("size", _INDEX, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("delayed_chain_key_sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_entries",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("subject_id", sa.LargeBinary),
        sa.Column("audience", sa.String(8)),
        sa.Column("quarter", sa.String(6)),
        sa.Column("number", sa.BigInteger),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("input_sealed", sa.LargeBinary),
        sa.Column("document", sa.LargeBinary),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("retention_until", sa.BigInteger),
    )
    op.create_index("ix_log_entries_subject", "log_entries", ["subject_id", "idx"])
    op.create_index("ix_log_entries_retention", "log_entries", ["retention_until"])
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_counters",
        sa.Column("chain_id", sa.LargeBinary, primary_key=True),
        sa.Column("audience", sa.String(8), primary_key=True),
        sa.Column("quarter", sa.String(6), primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subjects",
        sa.Column("subject_id", sa.LargeBinary, primary_key=True),
        sa.Column("chain_key_sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "log_quarter_keys",
        sa.Column("subject_id", sa.LargeBinary, primary_key=True),
        sa.Column("quarter", sa.String(6), primary_key=True),
        sa.Column("key_sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in (
        "log_quarter_keys",
        "subjects",
        "log_counters",
        "log_nodes",
        "log_entries",
        "log_head",
    ):
        op.drop_table(table)
