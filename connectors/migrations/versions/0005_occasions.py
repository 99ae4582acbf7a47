"""What the partner's own staff see of their occasions: kind, team and who works on them.

Revision: 0005. Rule: no BSN, no name and no date of birth of a resident has a column;
`handlers` are ids of the partner's own staff. Occasions of before have none, and are shown to
nobody.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("occasions") as table:
        table.add_column(sa.Column("kind", sa.String(64), nullable=True))
        table.add_column(sa.Column("team", sa.String(200), nullable=True))
        table.add_column(sa.Column("handlers", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("occasions") as table:
        for name in ("handlers", "team", "kind"):
            table.drop_column(name)
