"""Runs the broker's migrations on the connection that `migrate` opened."""

from __future__ import annotations

from sqlmodel import SQLModel

from datwat.party.database import run_migrations

run_migrations(SQLModel.metadata)
