"""Starts a party as a newer version of the software would: its schema has one revision more.

For tests only. `NEWER_MIGRATIONS` names a folder that `build_migrations` made. The revision only
adds: what keeps an older process from writing is not the database, but that process itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from broker.adapters import database
from datwat.party.database import find_newest
from tests.faults.quick_refresh import refresh_every_second

REVISION = "9001"
_SCRIPT = '''"""A column more, with a default."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_nodes", sa.Column("newer", sa.Integer, server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("log_nodes", "newer")
'''


def build_migrations(folder: Path) -> Path:
    """Copy the broker's migrations with one more, which only adds."""
    made = folder / "migrations"
    shutil.copytree(database.MIGRATIONS, made)
    script = _SCRIPT.format(revision=REVISION, before=find_newest(made))
    (made / "versions" / f"{REVISION}_newer.py").write_text(script, encoding="utf-8")
    return made


if __name__ == "__main__":
    from datwat.cli import main

    database.MIGRATIONS = Path(os.environ["NEWER_MIGRATIONS"])
    refresh_every_second()
    main()
