"""Alembic's way in: runs the steps on the connection that `migrate` opened."""

from __future__ import annotations

from datwat.party.database import run_migrations
from witness.tables import METADATA

run_migrations(METADATA)
