"""A backup made while the broker runs, put back with what ended since ended again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyrage import x25519
from sqlalchemy import Connection, func, select, text, update

from broker.adapters.backup import make_backup
from broker.adapters.backup_file import (
    BackupError,
    BackupKekError,
    FileKey,
    open_file,
    read_lines,
)
from broker.adapters.database import DatabaseTooNewError, open_engine
from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import FileKek, KekError
from broker.adapters.log_tables import LogEntry, LostEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.tables import (
    ConsentRecord,
    InvolvementRecord,
    ObjectionRecord,
    OccasionRecord,
    ReferenceRecord,
    table_of,
)
from broker.api.routes import build_operations
from broker.api.table import INFO
from broker.audit.ended import read_restored
from broker.audit.payloads import parse_payload
from broker.audit.records import Appendable, Job, Statement
from broker.restoring import Restoration, Wanted
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.database import find_sqlite_file
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.ratchet import RatchetLockedError
from datwat.party.settings import change_settings, load_settings
from datwat.protocol.acts import CloseOccasion, Consent, Objection, Wish
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_root
from datwat.protocol.tiles import TILE_WIDTH, TilePath, derive_width, encode_bundle
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    World,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    open_world,
    register,
    registers,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_JSON = {"Content-Type": "application/json"}
_ENTRIES = log_table_of(LogEntry)


@dataclass
class Copies:
    """A world with the files that a person would keep elsewhere."""

    world: World
    database: str
    folder: Path
    identity: x25519.Identity

    @property
    def settings(self) -> BrokerSettings:
        return load_settings(BrokerSettings, self.world.home)

    def back_up(self, running: Running, name: str = "backup.age") -> Path:
        path = self.folder / name
        make_backup(
            running.broker.database,
            path,
            recipient=str(self.identity.to_public()),
            kek=running.broker.secrets.kek,
            row_key=running.broker.secrets.row_key,
            now=clock.now(),
        )
        return path

    def mirror(self, running: Running) -> Path:
        """Write the bundles of entries as any mirror has them."""
        folder, size = self.folder / "mirror", running.broker.log.size
        with running.broker.store.reading() as conn:
            query = select(_ENTRIES.c.entry).where(_ENTRIES.c.idx < size).order_by(_ENTRIES.c.idx)
            entries = [bytes(entry) for entry in conn.execute(query).scalars()]
        for index in range(-(-size // TILE_WIDTH)):
            width = derive_width(None, index, size)
            path = folder / TilePath(level=None, index=index, width=width).text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_bundle(entries[index * TILE_WIDTH :][:width]))
        return folder

    def lose_database(self) -> None:
        if self.database:
            engine = open_engine(self.database)
            with engine.begin() as conn:
                conn.exec_driver_sql("DROP SCHEMA public CASCADE")
                conn.exec_driver_sql("CREATE SCHEMA public")
            engine.dispose()
            return
        file = find_sqlite_file(self.settings.database)
        assert file is not None
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)

    def restore(self, backup: Path, mirror: Path | None = None) -> dict[str, Any]:
        wanted = Wanted(backup, self.key_file, mirror)
        return Restoration(self.settings, wanted, clock.now()).run()

    @property
    def key_file(self) -> Path:
        path = self.folder / "backup.key"
        path.write_text(f"# a comment\n{self.identity}\n")
        return path


@pytest.fixture
def copies(tmp_path: Path, database: str) -> Iterator[Copies]:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    world = World(tmp_path, database_url=database)
    made = Copies(world, database, folder, x25519.Identity.generate())
    yield made
    if database:
        made.lose_database()


@asynccontextmanager
async def opened(copies: Copies) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(copies.world, stack)


async def _wish(running: Running, handle: bytes, **wish: Any) -> None:  # noqa: ANN401 - members
    answer = await running.ask("portal", "wish", [by_handle(handle, wish=Wish(**wish))])
    assert act_part(answer).state == "recorded", act_part(answer).weighing


def _count(running: Running, model: Any, **where: Any) -> int:  # noqa: ANN401 - a table and values
    table = table_of(model)
    query = select(func.count()).select_from(table)
    for name, value in where.items():
        query = query.where(table.c[name].is_not(None) if value is ... else table.c[name] == value)
    with running.broker.store.reading() as conn:
        return int(conn.execute(query).scalar_one())


async def test_what_ended_after_the_backup_stays_ended(copies: Copies) -> None:
    bsn, late = next(NUMBERS), next(NUMBERS)
    async with opened(copies) as running:
        home = await open_household(running, bsn)
        source = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert source.handle is not None
        assert inquiry_part(await inquire(running, home)).pointers
        backup = copies.back_up(running)
        ended = by_handle(source.handle, ends="ended")
        answer = await running.ask("debt-counselling", "end", [ended], say())
        assert act_part(answer).state == "ended"
        assert not inquiry_part(await inquire(running, home)).pointers
        objection = Objection(reason="Een reden.", made_at=now())
        said = by_handle(home.handles[bsn], objection=objection)
        answer = await running.ask(
            "social-team", "record_objection", [said], say(occasion=home.occasion)
        )
        assert act_part(answer).state == "recorded"
        await register(running, "debt-counselling", late, "debt_counselling")
        size, subjects = running.broker.log.size, _count(running, ObjectionRecord)
        mirror = copies.mirror(running)
    assert subjects == 1
    copies.lose_database()

    result = copies.restore(backup, mirror)

    assert result["log_size"] == size
    assert result["entries_read_back"] == 4
    assert result["entries_of_unknown"] == 1
    assert (result["ended_again_pointer"], result["ended_again_objection"]) == (1, 1)
    async with opened(copies) as running:
        assert running.broker.log.size == size
        assert _count(running, InvolvementRecord, end_reason="ended") == 1
        assert _count(running, ObjectionRecord) == 1
        assert read_restored(running.broker.ratchet) > clock.now().timestamp() - 60
        await running.broker.housekeeper.run_round()
        with running.broker.store.reading() as conn:
            assert SqlEnds().list_lost(conn, 10) == []
            lost = conn.execute(select(func.count()).select_from(log_table_of(LostEntry)))
            assert lost.scalar_one() == 0
        told = [one.detail for one in _read_own(running) if one.event == "lost"]
        assert [one and one.count for one in told] == [3]
        # The rolls go on where they were: no stub comes twice, and new entries can be read.
        home = await open_household(running, bsn)
        assert not inquiry_part(await inquire(running, home)).pointers
        tags = [entry[2:34] for entry in _read_entries(running) if entry[1] == 1]
        assert len(set(tags)) == len(tags)


def _read_entries(running: Running) -> list[bytes]:
    with running.broker.store.reading() as conn:
        return [bytes(one) for one in conn.execute(select(_ENTRIES.c.entry)).scalars()]


def _read_own(running: Running) -> list[Any]:
    """Return what can be read of every person, oldest first."""
    found = []
    with running.broker.store.reading() as conn:
        query = select(_ENTRIES.c.subject_id).where(_ENTRIES.c.subject_id.is_not(None)).distinct()
        for subject_id in conn.execute(query).scalars().all():
            rows = running.broker.store.fetch_entries_of(
                conn, bytes(subject_id), ["open", "own"], limit=100, before=None
            )
            contents = running.broker.sealing.open_contents(conn, bytes(subject_id), rows)
            found += [parse_payload(one.payload) for one in contents if one]
    return found


async def test_a_withdrawn_consent_stays_withdrawn(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        session = act_part(
            await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
        )
        assert session.handle is not None
        consent = Consent(
            kind="explicit",
            purpose="coordinate_family_help",
            given_by="self",
            written=True,
            given_at=now(),
            until_at=now() + timedelta(days=90),
        )
        await _wish(running, session.handle, consent=consent)
        backup = copies.back_up(running)
        await _wish(running, session.handle, withdraws=running.broker.log.size - 1)
        assert _count(running, ConsentRecord, withdrawn_at=...) == 1
        mirror = copies.mirror(running)
    copies.lose_database()
    assert copies.restore(backup, mirror)["ended_again_consent"] == 1
    async with opened(copies) as running:
        assert _count(running, ConsentRecord, withdrawn_at=...) == 1


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
        size, told = broker.log.size, [one.event for one in _read_own(running)]
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
        assert [one.event for one in _read_own(running)] == ["lost"]


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


async def test_a_backup_holds_no_secret_and_no_session(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        session = act_part(
            await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
        )
        assert session.handle is not None
        await register(running, "debt-counselling", bsn, "debt_counselling")
        backup, secrets = copies.back_up(running), running.broker.secrets
        key = FileKey.unseal(
            open_file(backup, copies.identity, copies.folder)[0].kek_sealed, secrets.kek
        )
    lines: list[Any] = []
    read_lines(copies.folder / "backup.rows", key, lines.append)
    said = repr(lines)
    assert "'session'" not in said
    assert "'handle'" in said
    tables = {line["table"] for line in lines if isinstance(line, dict) and "table" in line}
    assert {"log_entries", "involvements"} <= tables
    assert not tables & {"spent", "alembic_version"}
    content = copies.world.home / "secrets"
    raw = backup.read_bytes()
    for file in content.iterdir():
        secret = file.read_bytes()
        assert secret not in raw
        assert secret.hex() not in said
        assert encode_bytes(secret) not in said
    for leftover in copies.folder.glob("*.part"):
        pytest.fail(str(leftover))


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
    with _changed(copies.world.home / "settings.toml"):
        change_settings(copies.world.home, {"log_origin": "other.example/log/1"})
        with pytest.raises(BackupError, match="another log"):
            copies.restore(backup, mirror)
    with _changed(copies.world.home / "secrets" / "kek.json") as file:
        file.unlink()
        FileKek.create(file)
        with pytest.raises(BackupKekError):
            copies.restore(backup, mirror)
    with _changed(copies.world.home / "secrets" / "row.key") as file:
        file.write_bytes(bytes(32))
        with pytest.raises(BackupError, match="row key"):
            copies.restore(backup, mirror)
    with _changed(copies.world.home / "ratchet" / "ratchet") as file:
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


@contextmanager
def _changed(file: Path) -> Iterator[Path]:
    """Yield a file, and put it back as it was."""
    content, mode = file.read_bytes(), file.stat().st_mode
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        file.chmod(mode)


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
        told = [one.event for one in _read_own(running)]
    copies.lose_database()
    copies.restore(backup)
    async with opened(copies) as running:
        assert [one.event for one in _read_own(running)] == told == ["open_occasion"]
        (last,) = kek.list_generations()
        kek.start_generation(now())
        kek.destroy_generation(last.number)
    copies.lose_database()
    with pytest.raises(BackupKekError):
        copies.restore(backup)


async def test_what_was_taken_back_after_the_backup_stays_so(copies: Copies) -> None:
    """A wrong person's pointers and handle; a closed occasion."""
    wrong, bsn, child = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    async with opened(copies) as running:
        source = await register(running, "debt-counselling", wrong, "debt_counselling")
        home = await open_household(running, bsn, child)
        backup = copies.back_up(running)
        assert source.handle is not None
        answer = await running.ask(
            "debt-counselling", "report_wrong_person", [by_handle(source.handle)], say()
        )
        assert act_part(answer).state == "annulled"
        closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
        people = [by_handle(one) for one in home.handles.values()]
        said = say(occasion=home.occasion, closes=closes)
        answer = await running.ask("social-team", "close_occasion", people, said)
        assert act_part(answer).state == "closed"
        before = _dump(running)
        mirror = copies.mirror(running)
    copies.lose_database()
    result = copies.restore(backup, mirror)
    ended = {kind: result[f"ended_again_{kind}"] for kind in ("annulled", "reference", "occasion")}
    assert ended == {"annulled": 1, "reference": 1, "occasion": 1}
    async with opened(copies) as running:
        assert _dump(running) == before


def _dump(running: Running) -> list[Any]:
    """Return which pointers, references and open occasions there are."""
    references, occasions = table_of(ReferenceRecord), table_of(OccasionRecord)
    with running.broker.store.reading() as conn:
        return [
            conn.execute(select(func.count()).select_from(table_of(InvolvementRecord))).scalar(),
            sorted(map(bytes, conn.execute(select(references.c.lookup)).scalars())),
            [one is None for one in conn.execute(select(occasions.c.closed_at)).scalars()],
        ]


async def test_a_kek_that_does_not_fit_the_database_is_said_at_the_start(copies: Copies) -> None:
    async with opened(copies) as running:
        size = running.broker.log.size
    with _changed(copies.world.home / "secrets" / "kek.json") as file:
        file.unlink()
        FileKek.create(file)
        with pytest.raises(KekError, match="put back"):
            async with opened(copies):
                pytest.fail("it started")
    async with opened(copies) as running:
        assert running.broker.log.size == size


async def test_a_backup_is_one_moment_while_others_write(copies: Copies) -> None:
    async with opened(copies) as running:
        key, done = running.broker.secrets.kek, asyncio.Event()

        async def write() -> None:
            while not done.is_set():
                job = Job(lambda _: [Statement(b"document", now())])
                await asyncio.gather(*(running.broker.log.append(job) for _ in range(20)))

        writing = asyncio.ensure_future(write())
        for number in range(3):
            backup = await asyncio.to_thread(copies.back_up, running, f"{number}.age")
            header, inner = open_file(backup, copies.identity, copies.folder)
            lines: list[Any] = []
            read_lines(inner, FileKey.unseal(header.kek_sealed, key), lines.append)
            inner.unlink()
            start = next(i for i, line in enumerate(lines) if _begins(line, "log_entries"))
            entries = takewhile(lambda line: isinstance(line, list), lines[start + 1 :])
            leaves = [derive_leaf_hash(decode_bytes(entry[1])) for entry in entries]
            assert (len(leaves), derive_root(leaves)) == (header.size, header.root)
            assert running.broker.log.size >= header.size
        done.set()
        await writing


def _begins(line: Any, table: str) -> bool:  # noqa: ANN401 - a line of a backup
    return isinstance(line, dict) and line.get("table") == table
