"""Fills the partners' own databases with what they would hold on an ordinary day."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg

from datwat.party.database_urls import build_file_url

_FOLDER = Path(__file__).parent


def fill_sqlite(name: str, database: Path) -> str:
    """Make the SQLite database of a system (`name`.sql) and return its URL."""
    with sqlite3.connect(database) as connection:
        connection.executescript(_read(name))
    connection.close()
    return build_file_url(database)


def fill_postgres(name: str, folder: Path) -> str:
    """Fill a system in the server that listens in `folder` and return its URL; it must run."""
    url = f"postgresql://postgres@/postgres?host={folder}"
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute(_read(name).encode())
    return url


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
