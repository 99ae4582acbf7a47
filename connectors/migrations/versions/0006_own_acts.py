"""Staff find again what they themselves asked and recorded: who said it, and on which occasion.

Revision: 0006. Rule: no BSN, no name and no date of birth of a resident has a column; `staff` is an
id of the partner's own, `occasion` the broker's reference for this partner. Messages of before have
neither, and are shown to nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("evidence") as table:
        table.add_column(sa.Column("staff", sa.String(64), nullable=True))
        table.add_column(sa.Column("occasion", sa.LargeBinary(16), nullable=True))
        table.create_index("ix_evidence_staff", ["staff", "sent_at"])
        table.create_index("ix_evidence_occasion", ["occasion"])


def downgrade() -> None:
    with op.batch_alter_table("evidence") as table:
        table.drop_index("ix_evidence_occasion")
        table.drop_index("ix_evidence_staff")
        table.drop_column("occasion")
        table.drop_column("staff")
