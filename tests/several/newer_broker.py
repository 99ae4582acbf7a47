"""Starts a party as a newer version of the software would: its schema has one revision more.

For tests only. `NEWER_MIGRATIONS` names a folder that `build_migrations` made; what the revision
changes an older process cannot write to any more.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from broker.adapters import database
from datwat.party.database import find_newest
from tests.faults.quick_refresh import refresh_every_second

REVISION = "9001"
_SCRIPT = '''"""A column that must be given: what an older version adds is refused."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_nodes", sa.Column("newer", sa.Integer, server_default="1", nullable=False))
    op.alter_column("log_nodes", "newer", {change})


def downgrade() -> None:
    op.drop_column("log_nodes", "newer")
'''


def build_migrations(folder: Path, *, breaks: bool = False) -> Path:
    """Copy the broker's migrations with one more; `breaks`: who does not know it cannot write."""
    made = folder / "migrations"
    shutil.copytree(database.MIGRATIONS, made)
    change = "server_default=None" if breaks else 'server_default="2"'
    script = _SCRIPT.format(revision=REVISION, before=find_newest(made), change=change)
    (made / "versions" / f"{REVISION}_newer.py").write_text(script, encoding="utf-8")
    return made


if __name__ == "__main__":
    from datwat.cli import main

    database.MIGRATIONS = Path(os.environ["NEWER_MIGRATIONS"])
    refresh_every_second()
    main()
