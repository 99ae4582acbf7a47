"""What is refused before anything is put back, and after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pyrage import x25519
from sqlalchemy import text

from broker.adapters.backup_file import (
    BackupError,
    BackupKekError,
)
from broker.adapters.kek_file import FileKek, KekError
from broker.api.routes import build_operations
from broker.api.table import INFO
from datwat.party import clock
from datwat.party.database import DatabaseTooNewError, find_sqlite_file
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.ratchet import RatchetLockedError
from datwat.party.settings import change_settings
from tests.exchange.restoring import Copies, changed, opened
from tests.exchange.world import (
    ON_EACH_DATABASE,
    bsns,
    by_bsn,
    open_household,
    registers,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_JSON = {"Content-Type": "application/json"}


async def test_a_message_signed_before_the_restore_is_refused(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        await open_household(running, bsn)
        backup = copies.back_up(running)
    copies.lose_database()
    copies.restore(backup)
    async with opened(copies) as running:
        person = by_bsn(bsn, registers=registers("debt_counselling"), identity="document")
        sent = running.world.build("debt-counselling", "register", [person], say())
        app = build_app(INFO, build_operations(running.api), limits=Limits())
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://broker")
        async with client:
            answer = await client.post("/v1/registrations", content=sent.wire, headers=_JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "signed_before_restore")
        later = replace(running.api, restored_at=int(clock.now().timestamp()) - 5)
        app = build_app(INFO, build_operations(later), limits=Limits())
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://broker")
        async with client:
            answer = await client.post("/v1/registrations", content=sent.wire, headers=_JSON)
        assert answer.status_code == 200


async def test_what_does_not_fit_is_one_clear_error_and_changes_nothing(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        await open_household(running, bsn)
        backup = copies.back_up(running)
        with pytest.raises(BackupError, match="exists already"):
            copies.back_up(running)
        with pytest.raises(RatchetLockedError):
            copies.restore(backup)
        await open_household(running, bsn)
        mirror = copies.mirror(running)
    with pytest.raises(BackupError, match="already"):
        copies.restore(backup, mirror)
    copies.lose_database()
    with pytest.raises(BackupError, match="--mirror"):
        copies.restore(backup)
    _break_one(copies, backup, mirror)
    with changed(copies.world.home / "settings.toml"):
        change_settings(copies.world.home, {"log_origin": "other.example/log/1"})
        with pytest.raises(BackupError, match="another log"):
            copies.restore(backup, mirror)
    with changed(copies.world.home / "secrets" / "kek.json") as file:
        file.unlink()
        FileKek.create(file)
        with pytest.raises(BackupKekError):
            copies.restore(backup, mirror)
    with changed(copies.world.home / "secrets" / "row.key") as file:
        file.write_bytes(bytes(32))
        with pytest.raises(BackupError, match="row key"):
            copies.restore(backup, mirror)
    with changed(copies.world.home / "ratchet" / "ratchet") as file:
        file.unlink()
        with pytest.raises(BackupError, match="ratchet"):
            copies.restore(backup, mirror)
    if not copies.database:  # what a restore that was killed left behind
        database = find_sqlite_file(copies.settings.database)
        assert database is not None
        database.with_name(database.name + ".restoring").write_bytes(b"half a database")
    stranger = replace(copies, identity=x25519.Identity.generate())
    with pytest.raises(BackupError, match="another key"):
        stranger.restore(backup, mirror)
    assert copies.restore(backup, mirror)["entries_read_back"] == 1


def _break_one(copies: Copies, backup: Path, mirror: Path) -> None:
    """Refuse a mirror that is short, changed or another log's, and a backup that is cut off."""
    (bundle,) = (path for path in mirror.rglob("*") if path.is_file())
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1])
    with pytest.raises(BackupError, match="mirror does not hold"):
        copies.restore(backup, mirror)
    bundle.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    with pytest.raises(BackupError, match="do not give the head"):
        copies.restore(backup, mirror)
    bundle.write_bytes(whole)
    raw = backup.read_bytes()
    for damaged in (raw[:-1], raw[: len(raw) // 2], raw[:100], b"", raw[:-200] + bytes(200)):
        cut = copies.folder / "cut.age"
        cut.write_bytes(damaged)
        with pytest.raises(BackupError):
            copies.restore(cut, mirror)


async def test_a_backup_of_a_newer_version_is_refused(copies: Copies) -> None:
    async with opened(copies) as running:
        await open_household(running, next(NUMBERS))
        with running.broker.database.begin() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        backup = copies.back_up(running)
    copies.lose_database()
    with pytest.raises(DatabaseTooNewError):
        copies.restore(backup)
    with pytest.raises(DatabaseTooNewError):
        copies.restore(backup)


async def test_a_kek_that_does_not_fit_the_database_is_said_at_the_start(copies: Copies) -> None:
    async with opened(copies) as running:
        size = running.broker.log.size
    with changed(copies.world.home / "secrets" / "kek.json") as file:
        file.unlink()
        FileKek.create(file)
        with pytest.raises(KekError, match="put back"):
            async with opened(copies):
                pytest.fail("it started")
    async with opened(copies) as running:
        assert running.broker.log.size == size
