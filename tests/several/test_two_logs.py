"""Several logs on one database, as processes have them: one tree, one chain, one last word."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, text, update
from sqlalchemy.exc import DBAPIError

from broker.adapters.changes_store import SqlChanges
from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import QuarterKey, table_of
from broker.audit.log import Log, create_log
from broker.audit.records import (
    Appended,
    ChainRef,
    EntryDraft,
    Job,
    LogBehindError,
    LogDamagedError,
    LogError,
    LogForkedError,
    LogStoppedError,
    LostRaceError,
    PreparedEntry,
    Statement,
    SubjectKeys,
)
from broker.audit.sealing import Sealing
from broker.exchange.changes import Change
from broker.pseudonyms.errors import RaceLost
from datwat.party.ratchet import Mark
from datwat.party.ratchet_server import ServerRatchet
from datwat.protocol.checkpoint import CheckpointSigner, verify_checkpoint
from datwat.protocol.entry import build_statement_entry, derive_leaf_hash
from datwat.protocol.merkle import verify_consistency, verify_inclusion
from tests.audit.conftest import AT, ORIGIN
from tests.conftest import open_database

pytestmark = pytest.mark.postgres
PARTY = "00000099000000003000:broker"
# On a busy machine; a minute is what the server gives to transactions elsewhere.
_SECONDS_HELD_UP = 45.0


@dataclass
class Process:
    """What one process has of the log."""

    engine: Engine
    store: SqlLogStore
    sealing: Sealing
    ratchet: ServerRatchet
    log: Log
    failures: list[BaseException]

    @classmethod
    def open(
        cls, database: str, ratchet_url: str, folder: Path, checkpoints: CheckpointSigner
    ) -> Self:
        engine = open_engine(database)
        store = SqlLogStore(engine)
        ratchet = ServerRatchet.connect(ratchet_url, PARTY)
        failures: list[BaseException] = []
        log = Log(store, ratchet, checkpoints, failures.append)
        sealing = Sealing(FileKek.open(folder / "kek"), store)
        return cls(engine, store, sealing, ratchet, log, failures)

    def close(self) -> None:
        self.log.stop()
        self.ratchet.close()
        self.store.close()
        self.engine.dispose()

    def prepare(self, keys: SubjectKeys) -> PreparedEntry:
        draft = EntryDraft(
            chain=ChainRef(keys.subject_id, "open"),
            core=b"core",
            payload=b"payload",
            at=AT,
            retention_until=AT + timedelta(days=365),
        )
        return self.sealing.prepare_entry(keys, draft)

    def fetch_keys(self, subject_id: bytes) -> SubjectKeys:
        with self.store.reading() as conn:
            return self.sealing.fetch_keys(conn, [subject_id], AT)[subject_id]

    async def state(self, document: bytes) -> Appended:
        return await self.log.append(Job(lambda _: [Statement(document, AT)]))


class Together:
    """So many processes of one broker."""

    def __init__(self, database: str, ratchet: str, folder: Path) -> None:
        self.database, self.ratchet, self.folder = database, ratchet, folder
        self.checkpoints = CheckpointSigner(ORIGIN, Ed25519PrivateKey.generate())
        engine = open_engine(database)
        store = SqlLogStore(engine)
        create_log(store, Sealing(FileKek.create(folder / "kek"), store), ORIGIN)
        store.close()
        engine.dispose()
        self.stack = ExitStack()

    def open(self, *, start: bool = True) -> Process:
        process = Process.open(self.database, self.ratchet, self.folder, self.checkpoints)
        self.stack.callback(process.close)
        if start:
            process.log.start()
        return process


@pytest.fixture
def together(postgres_url: str, postgres_template: str, tmp_path: Path) -> Iterator[Together]:
    with (
        open_database(postgres_url, postgres_template) as database,
        open_database(postgres_url) as ratchet,
    ):
        made = Together(database, ratchet, tmp_path)
        with made.stack:
            yield made


async def test_four_write_one_tree_and_every_receipt_holds(together: Together) -> None:
    processes = [together.open() for _ in range(4)]
    documents = [f"{number}".encode() for number in range(120)]
    appended = await asyncio.gather(
        *(
            process.state(document)
            for process, document in zip(itertools.cycle(processes), documents, strict=False)
        )
    )
    places = {one.entries[0].index for one in appended}
    assert places == set(range(120))
    heads = {}
    for one, document in zip(appended, documents, strict=True):
        found = verify_checkpoint(one.checkpoint.encode(), ORIGIN, [together.checkpoints.vkey])
        heads[found.size] = found.root
        (entry,) = one.entries
        leaf = derive_leaf_hash(build_statement_entry(document))
        verify_inclusion(leaf, entry.index, found.size, list(entry.receipt.path), found.root)
    # Each head that anybody was given is the beginning of every later one.
    log = processes[0].log
    assert log.size == 120
    newest = verify_checkpoint(log.checkpoint().encode(), ORIGIN, [together.checkpoints.vkey])
    for size, root in heads.items():
        proof = log.build_consistency(size, 120) if size < 120 else ()
        verify_consistency(size, 120, proof, root, newest.root)
    assert all(process.log.checkpoint() == log.checkpoint() for process in processes)


async def test_one_that_hangs_while_it_writes_holds_the_others_up_for_seconds(
    together: Together,
) -> None:
    """It has locked the head: the server ends its session, and what it had written is gone."""
    hanging, other = together.open(), together.open()
    is_locked, is_over = threading.Event(), threading.Event()

    def hang() -> None:
        with hanging.store.writing() as conn:
            hanging.store.lock_head(conn)
            is_locked.set()
            is_over.wait()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(hang)
        try:
            await asyncio.to_thread(is_locked.wait)
            async with asyncio.timeout(_SECONDS_HELD_UP):
                while True:
                    try:
                        await other.state(b"goes on")
                    except LogError:
                        continue
                    break
        finally:
            is_over.set()
        with pytest.raises(DBAPIError):
            running.result()
    await hanging.state(b"and so does the other one")
    assert other.log.size == 2


async def test_what_one_signed_the_others_show_at_once(together: Together) -> None:
    first, second = together.open(), together.open()
    for number in range(5):
        appended = await first.state(b"%d" % number)
        assert second.log.checkpoint() == appended.checkpoint
        assert second.log.size == number + 1


async def test_one_chain_is_numbered_without_a_gap(together: Together) -> None:
    processes = [together.open() for _ in range(3)]
    keys = processes[0].sealing.mint_subject(AT)
    await processes[0].log.append(Job(lambda _: [processes[0].prepare(keys)], (keys,)))

    async def write(process: Process) -> None:
        held = process.fetch_keys(keys.subject_id)
        entry = process.prepare(held)
        await process.log.append(Job(lambda _: [entry], (held,)))

    await asyncio.gather(*(write(process) for process in processes for _ in range(10)))
    with processes[0].store.reading() as conn:
        rows = processes[0].store.fetch_entries_after(
            conn, keys.subject_id, ["open"], -1, limit=100
        )
    assert [row.number for row in rows] == list(range(31))


async def test_what_was_sealed_under_a_key_that_another_replaced_is_not_written(
    together: Together,
) -> None:
    first, second = together.open(), together.open()
    keys = first.sealing.mint_subject(AT)
    await first.log.append(Job(lambda _: [first.prepare(keys)], (keys,)))
    held = second.fetch_keys(keys.subject_id)
    entry = second.prepare(held)
    with first.store.writing() as conn:
        conn.execute(update(table_of(QuarterKey)).values(key_sealed=b"another"))
    with pytest.raises(LostRaceError):
        await second.log.append(Job(lambda _: [entry], (held,)))
    with first.store.writing() as conn:
        conn.execute(delete(table_of(QuarterKey)))
    with pytest.raises(LostRaceError):
        await second.log.append(Job(lambda _: [entry], (held,)))
    anew = second.fetch_keys(keys.subject_id)
    assert anew.new_quarter_key_sealed is not None
    entry = second.prepare(anew)
    await second.log.append(Job(lambda _: [entry], (anew,)))


async def test_a_change_that_another_wrote_since_the_moment_loses_the_race(
    together: Together,
) -> None:
    first, second = together.open(), together.open()
    changes = SqlChanges(lambda: AT)

    def change(key: bytes) -> Job:
        def work(conn: object) -> list[Statement]:
            changes.begin(conn, Change([key]))  # type: ignore[arg-type]  # the writer's
            return [Statement(key, AT)]

        return Job(work)

    async def require(process: Process, moment: int, *keys: bytes) -> None:
        def work(conn: object) -> list[Statement]:
            changes.require_same(conn, keys, moment)  # type: ignore[arg-type]  # the writer's
            return []

        await process.log.append(Job(work))

    with second.store.reading() as conn:
        before = changes.read_moment(conn)
    await require(second, before, b"a", b"b")
    await first.log.append(change(b"a"))
    with pytest.raises(RaceLost):
        await require(second, before, b"b", b"a")
    await require(second, before, b"b")
    with second.store.reading() as conn:
        after = changes.read_moment(conn)
    assert after > before
    await require(second, after, b"a", b"b")


async def test_a_database_put_back_stops_each_of_them(together: Together) -> None:
    first, second = together.open(), together.open()
    for number in range(3):
        await first.state(b"%d" % number)
    with first.store.writing() as conn:  # as a copy of before would have it
        conn.execute(text("DELETE FROM log_entries WHERE idx > 0"))
        root = hashlib.sha256(b"\0" + build_statement_entry(b"0")).digest()
        conn.execute(text("UPDATE log_head SET size = 1, root = :root"), {"root": root})
    with pytest.raises(LogBehindError):
        second.log.checkpoint()
    assert isinstance(second.failures[0], LogBehindError)
    with pytest.raises(LogBehindError):
        together.open()


async def test_another_tree_of_the_same_size_stops_each_of_them(together: Together) -> None:
    first = together.open()
    for number in range(3):
        await first.state(b"%d" % number)
    late = together.open(start=False)
    with first.store.writing() as conn:
        other = build_statement_entry(b"other")
        conn.execute(text("UPDATE log_entries SET entry = :e WHERE idx = 2"), {"e": other})
    with pytest.raises((LogForkedError, LogDamagedError)):
        late.log.start()


async def test_what_a_process_remembers_of_a_tree_that_was_put_back_signs_no_fork(
    together: Together,
) -> None:
    """A standby without the last entry was promoted; each process alone must notice."""
    first, second = together.open(), together.open()
    for number in range(6):
        await first.state(b"%d" % number)
    with first.store.reading() as conn:
        before = first.store.find_head(conn)
    assert before is not None
    await first.state(b"lost")
    assert second.log.size == 7  # and remembers the entry that is lost
    with first.store.writing() as conn:
        conn.execute(text("DELETE FROM log_entries WHERE idx > 5"))
        conn.execute(text("UPDATE log_head SET size = 6, root = :root"), {"root": before.root})
    with pytest.raises(LogStoppedError):
        await first.state(b"other")
    # The next leaf completes every subtree around the lost one: the root itself tells nothing.
    with pytest.raises(LogStoppedError):
        await second.state(b"another")
    assert isinstance(second.failures[0], LogForkedError)
    mark = second.ratchet.value(f"log:{ORIGIN}")
    assert mark is not None
    assert mark.number == 7


async def test_what_another_signs_between_the_look_and_the_step_is_looked_at_too(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers both take changes, and a process writes to each: one of the two trees ends."""
    process, name = together.open(), f"log:{ORIGIN}"
    elsewhere = ServerRatchet.connect(together.ratchet, PARTY)
    together.stack.callback(elsewhere.close)
    look = process.ratchet.value

    def look_and_wait(wanted: str) -> Mark | None:
        mark = look(wanted)
        elsewhere.advance(name, 1, b"\1" * 32)  # of the other server's tree
        return mark

    monkeypatch.setattr(process.ratchet, "value", look_and_wait)
    with pytest.raises(LogStoppedError):
        await process.log.append(Job(lambda _: [Statement(b"1", AT), Statement(b"2", AT)]))
    assert isinstance(process.failures[0], LogForkedError)
    assert elsewhere.value(name) == Mark(1, b"\1" * 32)
