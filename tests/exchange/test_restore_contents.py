"""Contents and keys that are put back from a backup, or never again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from broker.adapters.backup_file import (
    BackupKekError,
)
from broker.adapters.database import open_engine
from broker.adapters.ends_store import SqlEnds
from broker.adapters.log_tables import LogEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.audit.records import Appendable, Job
from datwat.party.database import find_sqlite_file
from tests.exchange.restoring import Copies, opened, read_own
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    bsns,
    now,
    open_household,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ENTRIES = log_table_of(LogEntry)


async def test_what_was_erased_after_the_backup_is_not_in_the_restored_database(
    copies: Copies,
) -> None:
    """Nor in its journal: neither the old key nor the contents that lay under it."""
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        broker = running.broker
        await open_household(running, bsn)
        await _shorten(running)
        (place,) = _list_places(running)
        old_key, old_content = _read_secrets(running, place)
        backup = copies.back_up(running)
        assert _search(copies, old_key, old_content) == {True}
        await broker.housekeeper.run_round()
        assert _search(copies, old_key, old_content) == {False}
        size, told = broker.log.size, [one.event for one in read_own(running)]
        assert told == ["erased"]
        mirror = copies.mirror(running)
    copies.lose_database()
    result = copies.restore(backup, mirror)
    assert result["ended_again_erased"] == 1
    assert _search(copies, old_key, old_content) == {False}
    async with opened(copies) as running:
        assert running.broker.log.size == size
        # What was told before the loss is not told twice; that the notice itself is gone, is.
        await running.broker.housekeeper.run_round()
        assert [one.event for one in read_own(running)] == ["lost"]


async def _shorten(running: Running) -> None:
    """Let all that was written end now."""

    def work(conn: Connection) -> list[Appendable]:
        conn.execute(update(_ENTRIES).values(retention_until=now()))
        return []

    await running.broker.log.append(Job(work))


def _list_places(running: Running) -> list[tuple[bytes, str]]:
    with running.broker.store.reading() as conn:
        return SqlEnds().list_due(conn, now(), 10)


def _read_secrets(running: Running, place: tuple[bytes, str]) -> tuple[bytes, bytes]:
    """Return a sealed key and a sealed content as they lie in the database."""
    with running.broker.store.reading() as conn:
        keys = SqlEnds().fetch_quarter_keys(conn, [place])
        (row,) = running.broker.store.fetch_entries_of(
            conn, place[0], ["open", "own"], limit=10, before=None
        )
    assert row.sealed is not None
    return keys[place], row.sealed


def _search(copies: Copies, *needles: bytes) -> set[bool]:
    """Return whether each needle lies anywhere in the database's files (SQLite) or rows."""
    if copies.database:
        engine = open_engine(copies.database)
        with engine.connect() as conn:
            keys = conn.exec_driver_sql("SELECT key_sealed FROM log_quarter_keys").scalars()
            rows = conn.exec_driver_sql("SELECT sealed FROM log_entries").scalars()
            hay = b"".join(bytes(one) for one in [*keys, *rows] if one is not None)
        engine.dispose()
    else:
        file = find_sqlite_file(copies.settings.database)
        assert file is not None
        hay = b"".join(one.read_bytes() for one in file.parent.glob(file.name + "*"))
    # In pages of a file a long value lies in pieces: the middle of each is enough to find it.
    return {needle[8:-8][:200] in hay for needle in needles}


async def test_a_backup_opens_as_long_as_its_generation_does(copies: Copies) -> None:
    """Keys that lie under the generation before are turned on the way into the backup."""
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        await open_household(running, bsn)
        kek = running.broker.secrets.kek
        (first,) = kek.list_generations()
        kek.start_generation(now())
        backup = copies.back_up(running)
        keys = running.broker.ends.generations
        after = now() + timedelta(hours=1)
        while await keys.keep(after, 100):
            pass
        kek.destroy_generation(first.number)
        told = [one.event for one in read_own(running)]
    copies.lose_database()
    copies.restore(backup)
    async with opened(copies) as running:
        assert [one.event for one in read_own(running)] == told == ["open_occasion"]
        (last,) = kek.list_generations()
        kek.start_generation(now())
        kek.destroy_generation(last.number)
    copies.lose_database()
    with pytest.raises(BackupKekError):
        copies.restore(backup)
