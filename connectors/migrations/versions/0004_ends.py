"""What ends are counted from: when a handle was used last, and indexes that find what is over.

Revision: 0004. Rule: a handle that was kept before counts as used now, so that none ends too soon.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = (
    ("clients", "used_at"),
    ("involvements", "expires_at"),
    ("pointers", "shown_at"),
    ("pointers", "reference"),
    ("evidence", "state"),
    ("gateway_orders", "at"),
    ("gateway_opened", "told_at"),
)


def upgrade() -> None:
    op.add_column("clients", sa.Column("used_at", sa.BigInteger, nullable=True))
    clients = sa.table("clients", sa.column("used_at", sa.BigInteger))
    op.execute(sa.update(clients).values(used_at=int(datetime.now(UTC).timestamp())))
    with op.batch_alter_table("clients") as batch:
        batch.alter_column("used_at", existing_type=sa.BigInteger, nullable=False)
    for table, column in _INDEXES:
        columns = [column, "sent_at"] if table == "evidence" else [column]
        op.create_index(f"ix_{table}_{column}", table, columns)


def downgrade() -> None:
    for table, column in _INDEXES:
        op.drop_index(f"ix_{table}_{column}", table)
    op.drop_column("clients", "used_at")
