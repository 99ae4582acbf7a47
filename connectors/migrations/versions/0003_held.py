"""What a partner can list of the log about one client: whose an order was, and what was opened.

Revision: 0003. Rule: a local client number and public values only; nothing here names a person.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gateway_orders", sa.Column("client", sa.String(200), nullable=True))
    op.create_index("ix_gateway_orders_client", "gateway_orders", ["client"])
    op.create_table(
        "gateway_opened",
        sa.Column("origin", sa.String(250), primary_key=True),
        sa.Column("log_index", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("commit", sa.LargeBinary(32), nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("gateway_opened")
    op.drop_index("ix_gateway_orders_client", "gateway_orders")
    op.drop_column("gateway_orders", "client")
