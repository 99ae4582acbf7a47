"""Staff find the open occasions that they work on without reading everybody's.

Revision: 0007. Rule: `professional` is an id of the partner's own staff; no column has anything of
a resident. Closed occasions have no rows.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_occasions = sa.table(
    "occasions", sa.column("number"), sa.column("closed_at"), sa.column("handlers")
)


def upgrade() -> None:
    staff = op.create_table(
        "occasion_staff",
        sa.Column("professional", sa.String(64), primary_key=True),
        sa.Column("occasion", sa.String(200), sa.ForeignKey("occasions.number"), primary_key=True),
    )
    op.create_index("ix_occasion_staff_occasion", "occasion_staff", ["occasion"])
    c = _occasions.c
    held = sa.select(c.number, c.handlers).where(c.closed_at.is_(None), c.handlers.is_not(None))
    rows = [
        {"professional": one, "occasion": row.number}
        for row in op.get_bind().execute(held).all()
        for one in sorted({handler["professional"] for handler in json.loads(row.handlers)})
    ]
    if rows:
        op.bulk_insert(staff, rows)


def downgrade() -> None:
    op.drop_index("ix_occasion_staff_occasion", "occasion_staff")
    op.drop_table("occasion_staff")
