"""Whom a resident does not want to look, what they asked, and with whose eyes they are shielded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OPEN = sa.text("answered_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("since_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_blocks_subject", "blocks", ["subject_id", "until_at"])
    op.create_index("ix_blocks_until", "blocks", ["until_at"])
    op.create_table(
        "questions",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("answered_at", sa.BigInteger, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_questions_subject", "questions", ["subject_id", "until_at"])
    op.create_index("ix_questions_until", "questions", ["until_at"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("erases", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_erasures_subject", "erasures", ["subject_id"])
    op.create_index("ix_erasures_asked", "erasures", ["asked_at"])
    op.create_index("ix_erasures_until", "erasures", ["until_at"])
    for table, moment in (("questions", "asked_at"), ("objections", "made_at")):
        name = f"ix_{table}_open"
        op.create_index(name, table, [moment], sqlite_where=_OPEN, postgresql_where=_OPEN)
    for name in ("own_at", "open_at"):
        op.add_column("shields", sa.Column(name, sa.BigInteger, nullable=True))
    lifted = sa.Column("lifted", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("shields", lifted)


def downgrade() -> None:
    for name in ("own_at", "open_at", "lifted"):
        op.drop_column("shields", name)
    op.drop_index("ix_objections_open", "objections")
    op.drop_table("erasures")
    op.drop_table("questions")
    op.drop_table("blocks")
