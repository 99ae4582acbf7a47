"""The log from job to receipt, on both databases: proofs, isolation, concurrency, refusals."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from broker.audit import log as log_module
from broker.audit.log import Log, create_log
from broker.audit.records import (
    Appended,
    Job,
    LogBehindError,
    LogBusyError,
    LogDamagedError,
    LogError,
    LogForkedError,
    LogMissingError,
    LogStoppedError,
    LostRaceError,
    PreparedEntry,
    Statement,
)
from broker.audit.tree import Edge, TreeReader
from broker.audit.writer import Waiting, Writer
from datwat.party.ratchet import RatchetBrokenError
from datwat.protocol.checkpoint import CheckpointSigner, verify_checkpoint
from datwat.protocol.entry import derive_tag, derive_tag_key
from datwat.protocol.merkle import EMPTY_ROOT, MerkleError, verify_consistency
from datwat.protocol.receipt import require_receipt
from tests.audit.conftest import AT, ORIGIN, LogWorld


def _check(world: LogWorld, appended: Appended, core: bytes = b"core") -> None:
    """Check receipts as a partner would, from what it was handed and the pinned key alone."""
    for entry in appended.entries:
        assert entry.tag is not None
        assert entry.payload_hash is not None
        require_receipt(
            core=core,
            payload_hash=entry.payload_hash,
            tag=entry.tag,
            receipt=entry.receipt,
            checkpoint=appended.checkpoint.encode(),
            origin=ORIGIN,
            vkeys=[world.checkpoints.vkey],
        )


async def test_an_empty_log_has_a_signed_checkpoint(world: LogWorld) -> None:
    note = world.log.checkpoint().encode()
    assert verify_checkpoint(note, ORIGIN, [world.checkpoints.vkey]).size == 0


async def test_every_entry_has_a_receipt_that_a_partner_can_check(world: LogWorld) -> None:
    keys = [world.sealing.mint_subject(AT) for _ in range(3)]
    for _ in range(3):
        entries = [world.prepare(each) for each in keys]
        appended = await world.log.append(world.job(*entries, keys=tuple(keys)))
        _check(world, appended)
        keys = list(_refetch(world, keys).values())
    assert world.log.size == 9


def _refetch(world: LogWorld, keys: list) -> dict:  # type: ignore[type-arg]
    with world.store.reading() as connection:
        ids = [each.subject_id for each in keys]
        return dict(world.sealing.fetch_keys(connection, ids, AT))


async def test_tags_number_each_chain_and_quarter_without_a_gap(world: LogWorld) -> None:
    first, second = world.sealing.mint_subject(AT), world.sealing.mint_subject(AT)
    plan = [(first, "open"), (second, "open"), (first, "own"), (first, "open"), (first, "delayed")]
    plan += [(second, "delayed"), (first, "open")]
    entries = [world.prepare(keys, audience) for keys, audience in plan]  # type: ignore[arg-type]
    appended = await world.log.append(world.job(*entries, keys=(first, second)))
    tags = [entry.tag for entry in appended.entries]
    delayed = world.sealing.open_delayed_chain_key()

    def expected(chain_key: bytes, audience: str, number: int) -> bytes:
        return derive_tag(derive_tag_key(chain_key, audience, "2026Q4"), number)  # type: ignore[arg-type]

    assert tags == [
        expected(first.chain_key, "open", 0),
        expected(second.chain_key, "open", 0),
        expected(first.chain_key, "own", 0),
        expected(first.chain_key, "open", 1),
        expected(delayed, "delayed", 0),
        expected(delayed, "delayed", 1),
        expected(first.chain_key, "open", 2),
    ]


async def test_sixteen_at_once_lose_nothing_and_share_no_place(world: LogWorld) -> None:
    shared = world.sealing.mint_subject(AT)
    await world.log.append(world.job(world.prepare(shared), keys=(shared,)))
    shared = _refetch(world, [shared])[shared.subject_id]

    async def client() -> list[Appended]:
        mine = world.sealing.mint_subject(AT)
        done = [await world.log.append(world.job(world.prepare(mine), keys=(mine,)))]
        for _ in range(8):
            done.append(await world.log.append(world.job(world.prepare(shared))))  # noqa: PERF401
        return done

    results = [one for many in await asyncio.gather(*(client() for _ in range(16))) for one in many]
    for appended in results:
        _check(world, appended)
    indexes = sorted(entry.index for one in results for entry in one.entries)
    assert indexes == list(range(1, 16 * 9 + 1))
    tags = {entry.tag for one in results for entry in one.entries}
    assert len(tags) == 16 * 9
    with world.store.reading() as connection:
        rows = world.store.fetch_entries_of(
            connection, shared.subject_id, ["open"], limit=500, before=None
        )
    assert sorted(row.number or 0 for row in rows) == list(range(16 * 8 + 1))


class _OwnRefusalError(Exception):
    pass


async def test_what_one_job_raises_undoes_that_job_only(world: LogWorld) -> None:
    keys = world.sealing.mint_subject(AT)
    insert = text("INSERT INTO log_nodes (level, idx, hash) VALUES (60, :idx, :hash)")

    def good(number: int) -> Job:
        def work(connection: Connection) -> list[Statement]:
            connection.execute(insert, {"idx": number, "hash": b"x"})
            return [Statement(b"document %d" % number, AT)]

        return Job(work)

    def raising(connection: Connection) -> list[PreparedEntry]:
        connection.execute(insert, {"idx": 100, "hash": b"x"})
        raise _OwnRefusalError

    def conflicting(connection: Connection) -> list[PreparedEntry]:
        connection.execute(insert, {"idx": 101, "hash": b"x"})
        connection.execute(insert, {"idx": 101, "hash": b"x"})
        return [world.prepare(keys)]

    jobs = [good(0), Job(raising, keys=(keys,)), good(1), Job(conflicting), good(2)]
    results = await asyncio.gather(*map(world.log.append, jobs), return_exceptions=True)
    assert [isinstance(result, Appended) for result in results] == [True, False, True, False, True]
    assert isinstance(results[1], _OwnRefusalError)
    with world.store.reading() as connection:
        query = text("SELECT idx FROM log_nodes WHERE level = 60 ORDER BY idx")
        assert list(connection.execute(query).scalars()) == [0, 1, 2]
        assert connection.scalar(text("SELECT count(*) FROM subjects")) == 0
    assert world.log.size == 3
    assert world.failures == []


async def test_a_job_may_see_the_entries_of_those_before_it(world: LogWorld) -> None:
    """As an opening must: what waits may stand just before it in the same transaction."""
    keys = world.sealing.mint_subject(AT)
    seen: list[int] = []

    def look(connection: Connection) -> list[Statement]:
        rows = world.store.fetch_entries_of(
            connection, keys.subject_id, ["open"], limit=9, before=None
        )
        seen.append(len(rows))
        return [Statement(b"seen", AT)]

    jobs = [
        world.job(world.prepare(keys), keys=(keys,)),
        Job(look),
        world.job(world.prepare(keys)),
        Job(look, sees_all=True),
        world.job(world.prepare(keys)),
    ]
    loop = asyncio.get_running_loop()
    batch = [Waiting(job, loop.create_future()) for job in jobs]
    tree = TreeReader(world.store)
    committed = Writer(world.store, tree, Edge(world.store, tree)).write(batch)
    assert seen == [0, 2]
    assert committed.size == 5
    assert [row.index for one in batch for row in one.rows] == [0, 1, 2, 3, 4]
    world.stop()
    assert world.start().size == 5  # a whole tree: the log takes it up as its own


async def test_the_second_to_make_a_quarters_key_loses_the_race(world: LogWorld) -> None:
    keys = world.sealing.mint_subject(AT)
    await world.log.append(world.job(world.prepare(keys), keys=(keys,)))
    later = AT + timedelta(days=90)
    with world.store.reading() as connection:
        rivals = [
            world.sealing.fetch_keys(connection, [keys.subject_id], later)[keys.subject_id]
            for _ in range(2)
        ]
    jobs = [Job(lambda _: [Statement(b"one", later)], keys=(each,)) for each in rivals]
    results = await asyncio.gather(*map(world.log.append, jobs), return_exceptions=True)
    assert isinstance(results[0], Appended)
    assert isinstance(results[1], LostRaceError)
    with world.store.reading() as connection:
        again = world.sealing.fetch_keys(connection, [keys.subject_id], later)[keys.subject_id]
    assert again.new_quarter_key_sealed is None
    assert again.content_key == rivals[0].content_key


def _root(world: LogWorld) -> bytes:
    note = world.log.checkpoint().encode()
    return verify_checkpoint(note, ORIGIN, [world.checkpoints.vkey]).root


async def test_consistency_between_any_two_sizes(world: LogWorld) -> None:
    roots = [EMPTY_ROOT]
    for number in range(21):
        await world.log.append(Job(lambda _, number=number: [Statement(bytes([number]), AT)]))  # type: ignore[misc]
        roots.append(_root(world))
    for old in range(1, 22):
        for new in range(old, 22):
            proof = world.log.build_consistency(old, new)
            verify_consistency(old, new, proof, roots[old], roots[new])
    for old, new in ((0, 5), (5, 22), (6, 5)):
        with pytest.raises(MerkleError):
            world.log.build_consistency(old, new)


async def test_an_earlier_head_is_signed_of_the_tree_that_was_signed_and_no_other(
    world: LogWorld,
) -> None:
    """A source names the size: neither it nor who changes the database may have a fork signed."""
    notes = []
    for number in range(6):
        await world.log.append(Job(lambda _, number=number: [Statement(bytes([number]), AT)]))  # type: ignore[misc]
        notes.append(world.log.checkpoint())
    assert [world.log.checkpoint_at(size) for size in (1, 2, 3, 4, 5, 6, 7)] == [*notes, notes[-1]]
    world.stop()
    world.start()  # nothing is remembered but the edge
    change = text("UPDATE log_nodes SET hash = :bad WHERE level = 1 AND idx = 0")
    with world.engine.begin() as connection:
        connection.execute(change.bindparams(bad=bytes(32)))
    with pytest.raises(LogForkedError):
        world.log.checkpoint_at(3)
    assert [type(error) for error in world.failures] == [LogForkedError]
    with pytest.raises(LogStoppedError):
        await world.log.append(Job(lambda _: [Statement(b"more", AT)]))


async def test_a_restart_goes_on_where_it_was(world: LogWorld) -> None:
    keys = world.sealing.mint_subject(AT)
    before = await world.log.append(world.job(*[world.prepare(keys)] * 1, keys=(keys,)))
    for number in range(12):
        await world.log.append(Job(lambda _, number=number: [Statement(bytes([number]), AT)]))  # type: ignore[misc]
    note = world.log.checkpoint()
    world.stop()
    world.start()
    assert world.log.checkpoint() == note
    keys = _refetch(world, [keys])[keys.subject_id]
    after = await world.log.append(world.job(world.prepare(keys)))
    _check(world, before)
    _check(world, after)
    assert after.entries[0].index == 13
    assert after.entries[0].tag == derive_tag(derive_tag_key(keys.chain_key, "open", "2026Q4"), 1)


async def test_a_database_put_back_is_refused(world: LogWorld) -> None:
    for number in range(4):
        await world.log.append(Job(lambda _, number=number: [Statement(bytes([number]), AT)]))  # type: ignore[misc]
    root = _root(world)
    await world.log.append(Job(lambda _: [Statement(b"last", AT)]))
    world.stop()
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM log_entries WHERE idx = 4"))
        connection.execute(text("UPDATE log_head SET size = 4, root = :root").bindparams(root=root))
    with pytest.raises(LogBehindError):
        world.start()


async def test_another_log_of_the_same_size_is_refused(world: LogWorld) -> None:
    await world.log.append(Job(lambda _: [Statement(b"one", AT)]))
    world.stop()
    (world.folder / "ratchet").rename(world.folder / "kept")
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM log_entries"))
        connection.execute(text("DELETE FROM log_head"))
    create_log(world.store, world.sealing, ORIGIN)
    world.start()
    await world.log.append(Job(lambda _: [Statement(b"another", AT)]))
    await world.log.append(Job(lambda _: [Statement(b"two", AT)]))
    world.stop()
    (world.folder / "kept").rename(world.folder / "ratchet")
    with pytest.raises(LogForkedError):
        world.start()


@pytest.mark.parametrize("change", ["node", "entry", "head"])
async def test_a_tree_changed_by_hand_is_noticed_at_the_start(world: LogWorld, change: str) -> None:
    for number in range(6):
        await world.log.append(Job(lambda _, number=number: [Statement(bytes([number]), AT)]))  # type: ignore[misc]
    world.stop()
    statement = {
        "node": "DELETE FROM log_nodes WHERE level = 2",
        "entry": "UPDATE log_nodes SET hash = :bad WHERE level = 1 AND idx = 2",
        "head": "UPDATE log_head SET root = :bad",
    }[change]
    query = text(statement)
    with world.engine.begin() as connection:
        connection.execute(query.bindparams(bad=bytes(32)) if ":bad" in statement else query)
    with pytest.raises((LogDamagedError, LogForkedError)):
        world.start()


async def test_a_broken_ratchet_stops_the_log_for_good(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.log.append(Job(lambda _: [Statement(b"one", AT)]))
    note = world.log.checkpoint()

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "injected")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(LogStoppedError):
            await world.log.append(Job(lambda _: [Statement(b"two", AT)]))
    with pytest.raises(LogStoppedError):
        await world.log.append(Job(lambda _: [Statement(b"three", AT)]))
    assert world.log.checkpoint() == note
    assert isinstance(world.log.failure, RatchetBrokenError)
    assert len(world.failures) == 1
    world.stop()
    assert world.start().size == 2, "what was committed before the failure is signed at the start"


@pytest.mark.sqlite_only("what SQLite itself answers when its disk fails")
async def test_a_database_that_fails_for_a_while_is_refused_and_then_goes_on(
    sqlite_world: LogWorld,
) -> None:
    world = sqlite_world

    def fill(connection: Connection) -> list[Statement]:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(
            text("INSERT INTO log_nodes (level, idx, hash) VALUES (60, 1, zeroblob(10000000))")
        )
        return []

    await world.log.append(Job(lambda _: [Statement(b"one", AT)]))
    innocent = Job(lambda _: [Statement(b"two", AT)])
    results = await asyncio.gather(
        world.log.append(Job(fill)), world.log.append(innocent), return_exceptions=True
    )
    assert isinstance(results[0], LogError)
    assert not isinstance(results[0], LogStoppedError)
    appended = await world.log.append(innocent)
    assert appended.entries[0].index in {1, 2}
    assert world.failures == []


async def test_a_stopped_log_takes_nothing(world: LogWorld) -> None:
    world.log.stop()
    with pytest.raises(LogStoppedError):
        await world.log.append(Job(lambda _: [Statement(b"one", AT)]))


async def test_stopping_finishes_what_waits(world: LogWorld) -> None:
    tasks = [
        asyncio.create_task(world.log.append(Job(lambda _: [Statement(b"one", AT)])))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    world.log.stop()
    results = await asyncio.gather(*tasks)
    assert sorted(result.entries[0].index for result in results) == list(range(50))


async def test_a_job_without_entries_is_committed_and_answered(world: LogWorld) -> None:
    appended = await world.log.append(Job(lambda _: []))
    assert appended.entries == ()
    assert appended.checkpoint == world.log.checkpoint()


def test_only_the_log_of_its_own_name_starts(world: LogWorld) -> None:
    other = CheckpointSigner("broker.test/log/2", world.key)
    with pytest.raises(LogMissingError):
        Log(world.store, world.ratchet, other).start()
    with pytest.raises(LogError):
        create_log(world.store, world.sealing, "broker.test/log/2")


@pytest.mark.sqlite_only("what SQLite itself answers when its disk fails")
async def test_an_error_of_the_disk_under_sqlite_stops_the_log(sqlite_world: LogWorld) -> None:
    def fail(_: Connection) -> list[Statement]:
        cause = sqlite3.OperationalError("disk I/O error")
        cause.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise OperationalError("COMMIT", {}, cause)

    with pytest.raises(LogStoppedError):
        await sqlite_world.log.append(Job(fail))
    with pytest.raises(LogStoppedError):
        await sqlite_world.log.append(Job(lambda _: [Statement(b"one", AT)]))
    assert len(sqlite_world.failures) == 1
    assert sqlite_world.log.size == 0


async def test_more_than_may_wait_is_refused(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MAX_WAITING", 0)
    with pytest.raises(LogBusyError):
        await world.log.append(Job(lambda _: [Statement(b"one", AT)]))
