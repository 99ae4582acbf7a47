"""Whether a rotation drew its new scalar itself; of one that runs already it is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drawn = sa.Column("is_drawn", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("scalar_rotation", drawn)


def downgrade() -> None:
    op.drop_column("scalar_rotation", "is_drawn")
