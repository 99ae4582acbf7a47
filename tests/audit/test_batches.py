"""Who writes the log: the event loop where it waits for nobody, a thread where it would."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import Connection, Engine

from broker.audit import batches
from broker.audit.log import Log
from broker.audit.records import Appendable, Appended, Job, LogStoppedError, Statement
from tests.audit.conftest import AT, LogWorld

_SLOW = 0.3


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no disk for slow because the machine has more to do."""
    monkeypatch.setattr(batches, "_QUICK_SECONDS", 5.0)


class Watched:
    """Jobs that tell which thread did their work."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def build(self, seconds: float = 0.0, *, is_short: bool = True) -> Job:
        def work(_: Connection) -> Sequence[Appendable]:
            self.threads.append(threading.get_ident())
            time.sleep(seconds)
            return [Statement(b"{}", AT)]

        return Job(work, is_short=is_short)

    @property
    def by_loop(self) -> list[bool]:
        return [one == threading.get_ident() for one in self.threads]


@contextmanager
def held(engine: Engine) -> Iterator[None]:
    """Hold the write lock of an SQLite database, as a root over the tags does for a moment."""
    with closing(engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        yield
        cursor.execute("ROLLBACK")


async def until_idle(world: LogWorld) -> None:
    for _ in range(500):
        if not world.log.is_busy:
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def test_the_loop_writes_a_file_and_the_thread_a_server(world: LogWorld) -> None:
    watched = Watched()
    for _ in range(3):
        await world.log.append(watched.build())
    assert watched.by_loop == [world.engine.dialect.name == "sqlite"] * 3
    assert world.log.size == 3


async def test_what_is_not_short_is_left_to_the_thread(sqlite_world: LogWorld) -> None:
    watched = Watched()
    for is_short in (True, False):
        await sqlite_world.log.append(watched.build(is_short=is_short))
    assert watched.by_loop == [True, False]


async def test_what_comes_in_one_turn_of_the_loop_is_one_batch(
    sqlite_world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Connection] = []
    lock_head = sqlite_world.store.lock_head

    def count(connection: Connection) -> tuple[int, bytes] | None:
        begun.append(connection)
        return lock_head(connection)

    monkeypatch.setattr(sqlite_world.store, "lock_head", count)
    watched = Watched()
    await asyncio.gather(*(sqlite_world.log.append(watched.build()) for _ in range(10)))
    assert (len(begun), watched.by_loop) == (1, [True] * 10)


async def test_the_loop_is_free_while_another_has_the_database(sqlite_world: LogWorld) -> None:
    watched = Watched()
    await sqlite_world.log.append(watched.build())
    with held(sqlite_world.engine):
        waiting = [asyncio.create_task(sqlite_world.log.append(watched.build())) for _ in range(3)]
        longest = 0.0
        for _ in range(30):
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)
        assert not any(one.done() for one in waiting)
        assert sqlite_world.log.is_busy
    await asyncio.gather(*waiting)
    assert longest < 1.0  # SQLite itself waits five seconds for a lock
    assert watched.by_loop == [True, False, False, False]
    await until_idle(sqlite_world)  # the thread lets go after it has answered
    await sqlite_world.log.append(watched.build())
    assert watched.by_loop[-1]


async def test_a_disk_that_was_slow_is_left_to_the_thread_for_a_while(
    sqlite_world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_QUICK_SECONDS", _SLOW / 2)
    monkeypatch.setattr(batches, "_SLOW_FOR_SECONDS", 0.5)
    watched = Watched()
    for slow in (_SLOW, _SLOW, 0.0, _SLOW, _SLOW, _SLOW, _SLOW):
        await sqlite_world.log.append(watched.build(slow))
    assert watched.by_loop == [True] * 6 + [False]
    await asyncio.sleep(0.6)
    await sqlite_world.log.append(watched.build())
    assert watched.by_loop[-1]


async def test_what_was_taken_in_is_written_before_it_stops(sqlite_world: LogWorld) -> None:
    watched = Watched()
    waiting = asyncio.create_task(sqlite_world.log.append(watched.build()))
    await asyncio.sleep(0)  # it is in, and not written
    assert sqlite_world.log.waiting == 1
    sqlite_world.log.stop()
    assert (await waiting).entries[0].index == 0
    with pytest.raises(LogStoppedError):
        await sqlite_world.log.append(watched.build())


async def test_a_batch_is_nobodys_request(sqlite_world: LogWorld) -> None:
    """What a log line would say of the request in hand belongs to one of many who wait."""
    asked: contextvars.ContextVar[str] = contextvars.ContextVar("asked", default="nobody")
    seen: list[str] = []

    def work(_: Connection) -> Sequence[Appendable]:
        seen.append(asked.get())
        return [Statement(b"{}", AT)]

    asked.set("somebody")
    await sqlite_world.log.append(Job(work, is_short=True))
    assert seen == ["nobody"]


def test_loops_of_two_threads_write_one_after_the_other(sqlite_world: LogWorld) -> None:
    """The first loop writes by itself, the other one's jobs go to the thread."""

    async def append(count: int) -> None:
        own = threading.get_ident()
        for _ in range(count):
            watched = Watched()
            appended: Appended = await sqlite_world.log.append(watched.build())
            places.append(appended.entries[0].index)
            if watched.threads == [own]:
                writing.add(own)

    places: list[int] = []
    writing: set[int] = set()
    threads = [threading.Thread(target=lambda: asyncio.run(append(100))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert sorted(places) == list(range(200))
    assert len(writing) == 1
    assert sqlite_world.failures == []


async def test_a_ratchet_on_a_server_is_left_to_the_thread(sqlite_world: LogWorld) -> None:
    """The loop would wait for that server, and give up on it after a second."""
    sqlite_world.ratchet.is_shared = True
    log = Log(sqlite_world.store, sqlite_world.ratchet, sqlite_world.checkpoints)
    log.start()
    watched = Watched()
    await log.append(watched.build())
    assert watched.by_loop == [False]
    log.stop()


async def test_what_is_short_does_not_wait_for_all_that_is_long(sqlite_world: LogWorld) -> None:
    """The thread always has a job that waits, and takes along what is ready for the loop."""
    watched, ended = Watched(), asyncio.Event()

    async def go_on() -> None:
        while not ended.is_set():
            await sqlite_world.log.append(watched.build(0.005, is_short=False))

    load = [asyncio.create_task(go_on()) for _ in range(4)]
    for _ in range(20):
        async with asyncio.timeout(5.0):
            await sqlite_world.log.append(watched.build())
    ended.set()
    await asyncio.gather(*load)
    assert sqlite_world.log.waiting == 0


async def test_the_thread_writes_one_now_and_then_and_copies_the_journal(
    sqlite_world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_BATCHES_HERE", 5)
    watched = Watched()
    for _ in range(12):
        await sqlite_world.log.append(watched.build())
        await until_idle(sqlite_world)
    assert watched.by_loop == [True] * 5 + [False] + [True] * 5 + [False]
    with sqlite_world.store.writing(at_once=True) as conn:
        assert conn.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
    with sqlite_world.store.writing() as conn:
        assert conn.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 1_000


def test_it_is_stopped_by_another_thread_while_the_loop_writes(sqlite_world: LogWorld) -> None:
    begun, watched = threading.Event(), Watched()

    def work(conn: Connection) -> Sequence[Appendable]:
        begun.set()
        return watched.build(0.3).work(conn)

    async def append() -> int:
        return (await sqlite_world.log.append(Job(work, is_short=True))).entries[0].index

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: asyncio.run(append()))
        assert begun.wait(10.0)
        sqlite_world.log.stop()
        assert writing.result(10.0) == 0
    assert len(watched.threads) == 1  # not once more by the thread
    assert sqlite_world.log.known_size == 1
    assert sqlite_world.failures == []


async def test_after_what_nobody_foresaw_nothing_is_written_and_nobody_waits(
    sqlite_world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: float) -> None:
        raise TypeError("unforeseen")

    watched = Watched()
    monkeypatch.setattr("broker.audit.log._BATCH_JOBS.observe", fail)
    async with asyncio.timeout(10.0):
        await sqlite_world.log.append(watched.build())  # it was answered before
        with pytest.raises(LogStoppedError):
            await sqlite_world.log.append(watched.build())
    assert [type(one) for one in sqlite_world.failures] == [TypeError]
    assert len(watched.threads) == 1


async def test_a_job_that_raises_what_a_future_refuses_is_answered(sqlite_world: LogWorld) -> None:
    def work(_: Connection) -> Sequence[Appendable]:
        raise StopIteration

    watched = Watched()
    async with asyncio.timeout(10.0):
        told = await asyncio.gather(
            sqlite_world.log.append(Job(work, is_short=True)),
            sqlite_world.log.append(watched.build()),
            return_exceptions=True,
        )
    assert isinstance(told[0], RuntimeError)
    assert isinstance(told[1], Appended)
