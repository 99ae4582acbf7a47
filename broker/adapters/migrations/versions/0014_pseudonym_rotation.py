"""Under which epoch of the key holder pseudonyms are written, and how far a rotation is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "pseudonym_rotation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("leaving", sa.Integer, nullable=True),
        sa.Column("cursor", sa.LargeBinary, nullable=False),
        sa.Column("turned", sa.BigInteger, nullable=False),
        sa.Column("is_done", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    # Until now all rows are of one epoch; 0 where there is no row yet.
    pseudonyms = sa.table("pseudonyms", sa.column("epoch", sa.Integer))
    newest = sa.select(sa.func.coalesce(sa.func.max(pseudonyms.c.epoch), 0)).scalar_subquery()
    values = {"id": 1, "epoch": newest, "leaving": None, "cursor": b"", "turned": 0}
    op.get_bind().execute(sa.insert(table).values(**values, is_done=False))


def downgrade() -> None:
    op.drop_table("pseudonym_rotation")
