"""Going on after a loss, on both databases: what is kept, stated and told; refused without need."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, delete, func, select, update

from broker import new_generation
from broker.adapters.generation_rows import GenerationRows, SqlGenerationNotices
from broker.adapters.kek_file import FileKek, KekError
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import DataSubject, LogEntry, LogHead, table_of
from broker.adapters.publication_tables import (
    LOG_GENERATIONS,
    LOG_PAST_ENTRIES,
    LOG_TAG_ROOTS,
    LOG_TAGS,
)
from broker.adapters.secrets import create_secrets
from broker.audit import generation_notice
from broker.audit.generation_notice import GenerationNotice
from broker.audit.log import Log, create_log
from broker.audit.payloads import Organisation, parse_payload
from broker.audit.ports import EntryRow
from broker.audit.records import Job, LogBehindError, Statement, TagRoot
from broker.audit.sealing import Sealing
from broker.new_generation import (
    GenerationFormError,
    GenerationUnneededError,
    Wanted,
    begin_generation,
    derive_next_origin,
)
from broker.settings import BrokerSettings
from datwat.cli import run
from datwat.party.admin import create_admin_token
from datwat.party.ratchet import RatchetLockedError
from datwat.party.settings import change_settings, load_settings, write_settings
from datwat.party.trust_keeper import open_ratchet
from datwat.protocol import trust
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import (
    TAG_PLACE,
    Audience,
    EntryType,
    derive_leaf_hash,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.merkle import derive_root
from datwat.protocol.tag_tree import derive_tag_root
from datwat.protocol.trust import Card
from tests.audit.conftest import AT, LogWorld
from tests.audit.test_tag_roots import build, check_log, check_proofs, write
from tests.audit.witnesses import TestWitness
from tests.party.web import serving

_ENTRIES, _HEAD = table_of(LogEntry), table_of(LogHead)
NOW = datetime(2026, 11, 6, 8, tzinfo=UTC)
OLD, NEW = "broker.test/log/1", "broker.test/log/2"
_BROKEN = bytes((0, 1)) + bytes(58)
REASON = "disk failure, no backup of the last hour"
COMMANDS = [EntryPoint("log.broker", "broker.commands.log_cli:app", "datwat.commands")]


class HomeWorld(LogWorld):
    """A log in a broker's home, as the command finds it."""

    def __init__(self, engine: Engine, home: Path, url: str) -> None:
        self.engine = engine
        self.home = home
        values = {"party": "broker", "id": "00000099000000003000:broker", "name": "Broker"}
        values["url"] = "http://127.0.0.1:1"
        write_settings(home, {**values, "log_origin": OLD, "database_url": url})
        create_admin_token(home)
        self.store = SqlLogStore(engine)
        self.secrets = create_secrets(home)
        self.kek = self.secrets.kek
        self.failures = []
        create_log(self.store, Sealing(self.kek, self.store), OLD)
        self.running = False

    @property
    def settings(self) -> BrokerSettings:
        return load_settings(BrokerSettings, self.home)

    def start(self) -> Log:
        """Start as a process would: by its settings and what is durable."""
        self.checkpoints = self.secrets.build_signer(self.settings.log_origin)
        self.sealing = Sealing(self.kek, self.store)
        self.ratchet = open_ratchet(self.settings)
        self.log = Log(self.store, self.ratchet, self.checkpoints, self.failures.append)
        try:
            self.log.start()
        except BaseException:
            self.ratchet.close()
            raise
        self.running = True
        return self.log

    def stop(self) -> None:
        if self.running:
            self.running = False
            super().stop()

    async def live(self) -> list[tuple[bytes, int]]:
        """Let the log have a life: a document, persons, roots, and a person who comes back."""
        await self.log.append(Job(lambda _: [Statement(b"trust list", NOW)]))
        roots = build(self)
        leaves = await write(self, 6)
        await roots.state()
        leaves += await write(self, 5)
        # A root whose own entry others have overtaken.
        size, root = self.log.size, derive_tag_root(sorted(leaves))
        leaves += await write(self, 2)
        await self.log.append(Job(lambda _: [TagRoot(size, root, NOW)]))
        keys = self.sealing.mint_subject(AT)
        for audience in ("open", "own", "delayed", "open"):
            job = self.job(self.prepare(keys, audience=audience), keys=(keys,))
            entry = (await self.log.append(job)).entries[0]
            assert entry.tag is not None
            leaves.append((entry.tag, entry.index))
            with self.store.reading() as conn:
                keys = dict(self.sealing.fetch_keys(conn, [keys.subject_id], AT))[keys.subject_id]
        await roots.state()
        leaves += await write(self, 3)
        self.subject_id = keys.subject_id
        return leaves

    def lose(self, size: int) -> None:
        """Put the database back to an older size, as a copy of it would be."""
        self.stop()
        with self.engine.begin() as conn:
            rows = conn.execute(select(_ENTRIES.c.entry).order_by(_ENTRIES.c.idx).limit(size))
            root = derive_root([derive_leaf_hash(row[0]) for row in rows])
            conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx >= size))
            conn.execute(delete(LOG_TAG_ROOTS).where(LOG_TAG_ROOTS.c.size >= size))
            conn.execute(update(_HEAD).values(size=size, root=root))

    def begin(self) -> dict[str, Any]:
        return begin_generation(self.settings, Wanted(REASON), NOW)

    def read_rows(self) -> list[EntryRow]:
        with self.store.reading() as conn:
            found = [self.store.find_entry(conn, index) for index in range(self.log.size)]
        return [row for row in found if row is not None]


@pytest.fixture
def home(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[HomeWorld]:
    made = HomeWorld(engine, tmp_path / "home", database_url)
    made.start()
    yield made
    made.stop()


async def test_what_is_left_is_taken_along_in_its_place(home: HomeWorld) -> None:
    old = await home.live()
    before = home.read_rows()
    last = home.log.size
    home.lose(last - 3)
    with pytest.raises(LogBehindError):
        home.start()
    found = home.begin()
    assert found == {
        "origin": NEW,
        "size": last - 3,
        "entries_kept": last - 4,
        "entries_lost": 3,
        "previous_size": last,
    }
    home.start()
    after = home.read_rows()
    assert home.log.size == last - 3 == len(after)
    # The first entry says how the generation before ended, in the words of its own log.
    document = json.loads(after[0].document or b"")
    previous = verify_checkpoint(
        document["previous"].encode(), OLD, [home.secrets.build_signer(OLD).vkey]
    )
    assert (previous.size, document["origin"], document["reason"]) == (last, NEW, REASON)
    assert parse_entry(after[0].entry).hash == hashlib.sha256(after[0].document or b"").digest()
    # Every other one lies where it lay, opens as before, and carries another stub.
    stubs = {tag for tag, _ in old}
    for was, row in list(zip(before, after, strict=False))[1:]:
        one, other = parse_entry(was.entry), parse_entry(row.entry)
        assert other.type is one.type
        assert (row.subject_id, row.number, row.sealed) == (was.subject_id, was.number, was.sealed)
        if other.type is EntryType.PERSON:
            assert other.hash == one.hash
            assert other.ref not in stubs
    with home.store.reading() as conn:
        mine = [row for row in after if row.subject_id == home.subject_id]
        assert len(mine) == 4
        contents = home.sealing.open_contents(conn, home.subject_id, mine)
    assert all(content is not None and content.payload == b"payload" for content in contents)
    _check_chain(home, mine)
    # An outsider who follows the new log finds every root right, and it goes on.
    assert len(check_log(home)) == 3
    roots = build(home, home.log.size)
    leaves = [(row.entry[TAG_PLACE], row.index) for row in after if row.subject_id]
    leaves += await write(home, 2)
    assert await roots.state()
    roots.cover(home.log.size)
    check_proofs(roots, home, leaves)
    assert len(check_log(home)) == 4
    # What was public of the old one is kept.
    with home.engine.connect() as conn:
        kept = [row[0] for row in conn.execute(_PAST)]
    assert kept == [row.entry for row in before[: last - 3]]


_PAST = select(LOG_PAST_ENTRIES.c.entry).order_by(LOG_PAST_ENTRIES.c.idx)


def _check_chain(home: HomeWorld, rows: list[EntryRow]) -> None:
    """The stubs are those of the new chain keys, number by number."""
    with home.store.reading() as conn:
        keys = home.sealing.fetch_keys(conn, [home.subject_id], AT)[home.subject_id]
    for row in rows:
        assert row.audience in {"open", "own", "delayed"}
        assert row.number is not None
        delayed = row.audience == "delayed"
        key = home.sealing.open_delayed_chain_key() if delayed else keys.chain_key
        stub = derive_tag(
            derive_tag_key(key, cast("Audience", row.audience), keys.quarter), row.number
        )
        assert stub == row.entry[TAG_PLACE]


@pytest.mark.parametrize("grown", [0, 9])
async def test_without_need_nothing_is_changed(home: HomeWorld, grown: int) -> None:
    if grown:
        await home.live()
    rows = home.read_rows()
    home.stop()
    with pytest.raises(GenerationUnneededError):
        home.begin()
    assert home.settings.log_origin == OLD
    home.start()
    assert home.read_rows() == rows


async def test_while_the_broker_runs_it_is_refused(home: HomeWorld) -> None:
    await home.live()
    with pytest.raises(RatchetLockedError):
        home.begin()


@pytest.mark.parametrize("deed", ["removed", "changed", "tag removed"])
async def test_a_log_that_was_changed_by_hand_may_begin_anew(home: HomeWorld, deed: str) -> None:
    await home.live()
    size = home.log.size
    home.stop()
    with home.engine.begin() as conn:
        if deed == "removed":
            conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx == 4))
        elif deed == "changed":
            same = select(_ENTRIES.c.entry).where(_ENTRIES.c.idx == 5).scalar_subquery()
            conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx == 4).values(entry=same))
        else:
            conn.execute(delete(LOG_TAGS).where(LOG_TAGS.c.idx == 4))
    found = home.begin()
    assert (found["size"], found["entries_lost"]) == (size, 1 if deed == "removed" else 0)
    home.start()
    rows = home.read_rows()
    if deed == "removed":
        said = json.loads(rows[4].document or b"")
        assert said == {"v": 1, "type": "entry_gone", "index": 4}
    assert len(check_log(home)) == 3
    build(home, size)


async def test_a_database_that_was_lost_as_a_whole_begins_with_the_statement(
    home: HomeWorld,
) -> None:
    await home.live()
    size = home.log.size
    home.lose(0)
    found = home.begin()
    assert (found["size"], found["entries_kept"], found["entries_lost"]) == (1, 0, size)
    home.start()
    assert home.log.size == 1
    await write(home, 2)


async def test_after_a_crash_between_database_and_settings_it_is_repeated(
    home: HomeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.live()
    size = home.log.size
    home.lose(size - 1)
    with monkeypatch.context() as patch:
        patch.setattr(new_generation, "change_settings", _die)
        with pytest.raises(KeyboardInterrupt):
            home.begin()
    assert home.settings.log_origin == OLD
    assert home.begin() == {"origin": NEW, "size": size - 1}
    assert home.settings.log_origin == NEW
    home.start()


async def test_a_crash_within_leaves_the_old_generation(
    home: HomeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.live()
    size = home.log.size
    home.lose(size - 1)
    with monkeypatch.context() as patch:
        patch.setattr(GenerationRows, "_flush_nodes", _die)
        with pytest.raises(KeyboardInterrupt):
            home.begin()
    with home.engine.connect() as conn:
        assert conn.execute(select(_HEAD.c.origin, _HEAD.c.size)).one() == (OLD, size - 1)
        assert conn.execute(select(func.count()).select_from(LOG_GENERATIONS)).scalar() == 0
    assert home.begin()["origin"] == NEW


def _die(*_arguments: object) -> None:
    raise KeyboardInterrupt


async def test_every_resident_is_told_once(
    home: HomeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_notice, "_AT_ONCE", 4)
    await home.live()
    home.lose(home.log.size - 1)
    home.begin()
    home.start()
    subjects = _count(home)
    notice = GenerationNotice(
        home.log,
        home.store,
        SqlGenerationNotices(),
        home.sealing,
        Organisation(id="00000099000000003000:broker", name="Broker"),
        lambda: timedelta(days=30),
        lambda: NOW,
    )
    size = home.log.size
    while await notice.tell_some():
        assert home.log.size <= size + subjects
    assert home.log.size == size + subjects
    told = home.read_rows()[size:]
    assert len({row.subject_id for row in told}) == subjects
    for row in told:
        assert row.subject_id is not None
        with home.store.reading() as conn:
            (content,) = home.sealing.open_contents(conn, row.subject_id, [row])
        assert content is not None
        assert parse_payload(content.payload).event == "new_generation"
    assert not await notice.tell_some()


def _count(home: HomeWorld) -> int:
    with home.engine.connect() as conn:
        found = conn.execute(select(func.count()).select_from(table_of(DataSubject))).scalar()
    return found or 0


async def test_what_a_witness_saw_is_what_the_old_log_ended_with(home: HomeWorld) -> None:
    await home.live()
    size, key = home.log.size, home.secrets.build_signer(OLD)
    witness = TestWitness("witness.test/one", trust.LogEntry(origin=OLD, vkeys=(key.vkey,)))
    witness.shown = home.log.checkpoint().encode()
    home.lose(size - 5)
    (home.settings.ratchet / "ratchet").unlink()
    home.start()  # without the ratchet nothing here knows that entries are missing
    home.stop()
    with pytest.raises(GenerationUnneededError):
        home.begin()
    with serving(witness.build_app()) as url:
        found = await asyncio.to_thread(begin_generation, home.settings, Wanted(REASON, [url]), NOW)
    assert (found["entries_lost"], found["previous_size"]) == (5, size)


@pytest.mark.parametrize("which", [0, -1])
async def test_a_roll_of_which_an_entry_is_gone_has_no_gap_afterwards(
    home: HomeWorld, which: int
) -> None:
    await home.live()
    mine = [row for row in home.read_rows() if row.subject_id == home.subject_id]
    removed = [row for row in mine if row.audience == "open"][which]
    home.stop()
    with home.engine.begin() as conn:
        conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx == removed.index))
    home.begin()
    home.start()
    with home.store.reading() as conn:
        keys = home.sealing.fetch_keys(conn, [home.subject_id], AT)[home.subject_id]
    await home.log.append(home.job(home.prepare(keys), keys=(keys,)))
    rows = [row for row in home.read_rows() if row.subject_id == home.subject_id]
    assert [row.number for row in rows if row.audience == "open"] == [0, 1]
    _check_chain(home, rows)
    check_log(home)


@pytest.mark.parametrize("whose", ["auditor", "person"])
async def test_a_chain_key_that_opens_no_more_is_replaced(home: HomeWorld, whose: str) -> None:
    await home.live()
    size = home.log.size
    home.stop()
    with home.engine.begin() as conn:
        if whose == "auditor":
            conn.execute(update(_HEAD).values(delayed_chain_key_sealed=_BROKEN))
        else:
            this = table_of(DataSubject).c.subject_id == home.subject_id
            conn.execute(update(table_of(DataSubject)).where(this).values(chain_key_sealed=_BROKEN))
    found = home.begin()
    assert (found["size"], found["entries_lost"]) == (size, 0)
    home.start()
    _check_chain(home, [row for row in home.read_rows() if row.subject_id == home.subject_id])


async def test_another_kek_is_no_reason_to_begin_anew(home: HomeWorld) -> None:
    """All would be sealed under it that is sealed anew, and the right one would open nothing."""
    await home.live()
    rows = home.read_rows()
    home.lose(home.log.size - 1)
    file = home.home / "secrets" / "kek.json"
    whole = file.read_bytes()
    file.unlink()
    FileKek.create(file)
    with pytest.raises(KekError, match="put back"):
        home.begin()
    file.write_bytes(whole)
    assert home.begin()["origin"] == NEW
    home.start()
    assert [row.sealed for row in home.read_rows()[1:]] == [row.sealed for row in rows[1:-1]]


def test_the_next_name() -> None:
    assert derive_next_origin("a/log/1") == "a/log/2"
    assert derive_next_origin("a/9/log/99") == "a/9/log/100"
    for wrong in ("a/log", "a/log/0", "a/log/01", "a/log/1/", "1"):
        with pytest.raises(GenerationFormError):
            derive_next_origin(wrong)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason", "why", "--yes"], "needs no new generation. Nothing was changed."),
        (["--reason", "  ", "--yes"], "say in 1 to 400 characters why"),
        (["--reason", "x" * 401, "--yes"], "say in 1 to 400 characters why"),
        (["--yes"], "--reason"),
    ],
)
def test_the_command_says_in_one_line_why_not(
    home: HomeWorld, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.stop()
    commands = ["log", "new-generation", "--home", str(home.home), *arguments]
    assert run(commands, COMMANDS) != 0
    shown = capsys.readouterr()
    assert said in " ".join((shown.out + shown.err).split())
    assert "Traceback" not in shown.err


def test_the_key_is_that_of_the_trust_list(
    home: HomeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", "key", "--home", str(home.home)], COMMANDS) == 0
    vkey = home.secrets.build_signer(OLD).vkey
    assert capsys.readouterr().out == vkey + "\n"
    assert run(["log", "key", "--home", str(home.home), "--json"], COMMANDS) == 0
    assert json.loads(capsys.readouterr().out) == {"origin": OLD, "vkey": vkey}
    change_settings(home.home, {"log_origin": NEW})
    earlier = ["log", "key", "--home", str(home.home), "--generation"]
    assert run([*earlier, "1"], COMMANDS) == 0
    assert capsys.readouterr().out == vkey + "\n"
    assert run([*earlier, "3"], COMMANDS) != 0
    assert f"the log is {NEW}" in capsys.readouterr().err


async def test_the_command_writes_the_new_card(
    home: HomeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await home.live()
    home.lose(home.log.size - 1)
    arguments = ["log", "new-generation", "--home", str(home.home), "--reason", REASON, "--yes"]
    assert await asyncio.to_thread(run, [*arguments, "--json"], COMMANDS) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["origin"], found["entries_lost"]) == (NEW, 1)
    card = Card.model_validate_json((home.home / "card.json").read_bytes())
    assert card.log is not None
    assert card.log.origin == NEW
    assert card.log.vkeys == (home.secrets.build_signer(NEW).vkey,)
