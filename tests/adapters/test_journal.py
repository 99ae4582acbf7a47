"""SQLite's journal is emptied of what was overwritten, and nobody is held up for it."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import text

from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING, open_engine
from datwat.party.database import truncate_journal


def test_the_journal_is_emptied_once_nobody_reads(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    writing = engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})
    journal = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    with writing.begin() as conn:
        conn.execute(text("INSERT INTO suspensions VALUES ('a', 1, 1)"))
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM suspensions"))
        with writing.begin() as conn:
            conn.execute(text("UPDATE suspensions SET number = 2"))
        began = time.monotonic()
        assert truncate_journal(engine) is False
        assert time.monotonic() - began < 2
        assert journal.stat().st_size > 0
    assert truncate_journal(engine) is True
    assert journal.stat().st_size == 0
    with engine.connect() as conn:
        assert conn.execute(text("PRAGMA busy_timeout")).scalar() == 5_000
    engine.dispose()
