"""Runs the connector's migrations on the connection that `database.migrate` hands over."""

from __future__ import annotations

from datwat.party.database import run_migrations

run_migrations()
