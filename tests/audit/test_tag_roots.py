"""Tag roots on schedule, on both databases: what they state, killed anywhere, and found changed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, delete, select, text, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAG_ROOTS, LOG_TAGS
from broker.audit.records import Appendable, Job, LogDamagedError, Statement
from broker.audit.tag_roots import StatedEntry, TagRootMovedError, TagRoots
from datwat.party.tag_index import TagIndex, TagIndexDamagedError
from datwat.protocol.entry import EntryType, parse_entry
from datwat.protocol.tag_tree import (
    Leaf,
    TagTwiceError,
    derive_tag_root,
    require_no_tag,
    require_tag,
)
from tests.audit.conftest import AT, LogWorld

_ENTRIES = table_of(LogEntry)
NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
UNKNOWN = b"\x5a" * 32


class Killed(BaseException):
    """The process ends here."""


def build(world: LogWorld, covered: int = 0) -> TagRoots:
    """Return the tag roots of a process that starts now."""
    store = SqlPublication(world.engine)
    made = TagRoots(world.log, store, TagIndex(LOG_TAGS, 8), lambda: NOW)
    made.load(covered)
    return made


async def write(world: LogWorld, count: int) -> list[Leaf]:
    """Write entries about new persons; return tag and index of each."""
    found = []
    for _ in range(count):
        keys = world.sealing.mint_subject(AT)
        appended = await world.log.append(world.job(world.prepare(keys), keys=(keys,)))
        entry = appended.entries[0]
        assert entry.tag is not None
        found.append((entry.tag, entry.index))
    return found


def read_entries(world: LogWorld) -> list[bytes]:
    with world.engine.connect() as connection:
        query = select(_ENTRIES.c.entry).order_by(_ENTRIES.c.idx)
        return [row[0] for row in connection.execute(query)]


def check_log(world: LogWorld) -> list[tuple[int, int]]:
    """Follow the log as an outsider: every root is that of the tags below the size it states."""
    leaves: list[Leaf] = []
    stated = []
    for index, entry in enumerate(map(parse_entry, read_entries(world))):
        if entry.type is EntryType.PERSON:
            leaves.append((entry.ref, index))
        elif entry.type is EntryType.TAG_ROOT:
            size = int.from_bytes(entry.ref[:8], "big")
            below = sorted(leaf for leaf in leaves if leaf[1] < size)
            assert size <= index
            assert entry.hash == derive_tag_root(below)
            stated.append((index, size))
    return stated


def check_proofs(roots: TagRoots, world: LogWorld, leaves: Sequence[Leaf]) -> StatedEntry:
    base = roots.read_base()
    assert base is not None
    with world.engine.connect() as connection:
        tags = [tag for tag, _ in leaves]
        for (tag, index), proof in zip(
            leaves, roots.prove_tags(connection, base.size, tags), strict=True
        ):
            if index < base.size:
                require_tag(proof, tag, index, base.root)
            else:
                require_no_tag(proof, tag, base.root)
        (absent,) = roots.prove_tags(connection, base.size, [UNKNOWN])
        require_no_tag(absent, UNKNOWN, base.root)
    return base


def await_idle(world: LogWorld) -> None:
    until = time.monotonic() + 10
    while world.log.is_busy and time.monotonic() < until:
        time.sleep(0.001)


async def test_each_round_states_what_is_new_and_an_idle_log_nothing(world: LogWorld) -> None:
    roots = build(world)
    assert not await roots.state()
    leaves = await write(world, 3)
    await world.log.append(Job(lambda _: [Statement(b"a document", NOW)]))
    assert await roots.state()
    assert not await roots.state()
    leaves += await write(world, 300)
    assert await roots.state()
    assert check_log(world) == [(4, 4), (305, 305)]
    assert roots.read_base() is None
    roots.cover(world.log.size)
    assert check_proofs(roots, world, leaves).size == 305


async def test_proofs_are_for_the_newest_root_that_is_shown(world: LogWorld) -> None:
    roots = build(world)
    leaves = await write(world, 5)
    await roots.state()
    roots.cover(world.log.size)
    shown = check_proofs(roots, world, leaves)
    leaves += await write(world, 5)
    await roots.state()
    assert check_proofs(roots, world, leaves) == shown
    roots.cover(11)  # its root's own entry has index 11: not under this checkpoint
    assert check_proofs(roots, world, leaves) == shown
    roots.cover(12)
    assert check_proofs(roots, world, leaves).size == 11
    with world.engine.connect() as connection, pytest.raises(TagRootMovedError):
        roots.prove_tags(connection, shown.size, [UNKNOWN])


async def test_proofs_hold_while_the_next_root_is_being_made(world: LogWorld) -> None:
    roots = build(world)
    leaves = await write(world, 40)
    await roots.state()
    roots.cover(world.log.size)
    shown = check_proofs(roots, world, leaves)
    leaves += await write(world, 600)
    stating = asyncio.ensure_future(roots.state())
    rounds = 0
    while not stating.done():
        assert await asyncio.to_thread(check_proofs, roots, world, leaves[:60]) == shown
        rounds += 1
    assert await stating
    assert rounds
    roots.cover(world.log.size)
    assert check_proofs(roots, world, leaves).size == 641


async def test_a_round_gives_way_while_the_log_writes_and_goes_on_when_it_is_idle(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, paused = threading.Event(), threading.Event()
    sleep, slept = time.sleep, list[float]()

    def pause(seconds: float) -> None:
        if threading.current_thread().name != "log":
            slept.append(seconds)
            if len(slept) > 1:
                paused.set()  # somebody waits for the log: now it may end
        sleep(seconds)

    def work(_: Connection) -> Sequence[Appendable]:
        begun.set()
        assert paused.wait(10)
        return []

    roots = build(world)
    monkeypatch.setattr("broker.audit.tag_roots._WRITTEN_AT_ONCE", 4)
    await write(world, 6)  # two transactions, with one pause between them
    await asyncio.to_thread(await_idle, world)
    monkeypatch.setattr("broker.audit.tag_roots.rest", lambda: None)
    monkeypatch.setattr(time, "sleep", pause)
    assert await roots.state()
    assert len(slept) == 1  # nobody wrote anything meanwhile
    slept.clear()
    writing = asyncio.ensure_future(world.log.append(Job(work)))
    assert await asyncio.to_thread(begun.wait, 10)
    assert world.log.is_busy
    await asyncio.to_thread(roots.give_way)
    await writing
    assert slept[1] > slept[0]


async def test_witnesses_that_stay_away_do_not_pile_up_roots(world: LogWorld) -> None:
    roots = build(world)
    leaves = []
    for _ in range(6):
        leaves += await write(world, 2)
        await roots.state()
    roots.cover(world.log.size)
    assert check_proofs(roots, world, leaves).index == world.log.size - 1
    assert len(check_log(world)) == 6


@pytest.mark.parametrize("step", ["_fetch_leaves", "write", "take_in", "insert", "append", "mark"])
async def test_killed_between_any_two_steps_it_goes_on(
    world: LogWorld, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = build(world)
    leaves = await write(world, 5)
    await roots.state()
    roots.cover(world.log.size)
    leaves += await write(world, 5)
    with monkeypatch.context() as patch:
        _kill_after(step, roots, patch)
        with pytest.raises((Killed, RuntimeError)):
            await roots.state()
    world.stop()
    world.start()
    again = build(world, 6)
    assert check_proofs(again, world, leaves).size == 5
    leaves += await write(world, 5)
    await again.state()
    again.cover(world.log.size)
    assert check_proofs(again, world, leaves).size >= 15
    assert len(check_log(world)) == (3 if step in ("append", "mark") else 2)


def _kill_after(step: str, roots: TagRoots, patch: pytest.MonkeyPatch) -> None:
    """Let the process end right after a step of the round."""

    def killing(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            real(*arguments, **named)
            raise Killed

        return call

    index, store, log = roots._index, roots._store, roots._log  # noqa: SLF001
    if step == "_fetch_leaves":
        patch.setattr(roots, "_fetch_leaves", killing(roots._fetch_leaves))  # noqa: SLF001
    elif step in ("write", "take_in", "mark"):
        patch.setattr(index, step, killing(getattr(index, step)))
    elif step == "insert":

        def insert(*_arguments: object) -> None:
            raise RuntimeError("the transaction is lost")

        patch.setattr(store, "insert_tag_root", insert)
    else:
        real = log.append

        async def append(job: Job) -> None:
            await real(job)
            raise Killed

        patch.setattr(log, "append", append)


async def _stated_twice(world: LogWorld) -> list[Leaf]:
    roots = build(world)
    leaves = await write(world, 8)
    await roots.state()
    leaves += await write(world, 8)
    await roots.state()
    return leaves


@pytest.mark.parametrize("covered", [0, 9, 18])
async def test_a_restart_finds_the_roots_again(world: LogWorld, covered: int) -> None:
    leaves = await _stated_twice(world)
    again = build(world, covered)
    base = again.read_base()
    assert (base.size if base else None) == {0: None, 9: 8, 18: 17}[covered]
    again.cover(world.log.size)
    assert check_proofs(again, world, leaves).size == 17
    assert not await again.state()


@pytest.mark.parametrize("covered", [0, 18])
@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (delete(LOG_TAGS).where(LOG_TAGS.c.idx == 3), TagIndexDamagedError),
        (update(LOG_TAGS).where(LOG_TAGS.c.idx == 3).values(idx=4), TagIndexDamagedError),
        (
            update(LOG_TAG_ROOTS).where(LOG_TAG_ROOTS.c.size == 17).values(root=b"r" * 32),
            LogDamagedError,
        ),
        (text("DELETE FROM log_entries WHERE idx = 17"), LogDamagedError),
    ],
)
async def test_a_start_refuses_tags_that_do_not_give_the_stated_root(
    world: LogWorld, deed: object, error: type[Exception], covered: int
) -> None:
    await _stated_twice(world)
    with world.engine.begin() as connection:
        connection.execute(deed)  # type: ignore[call-overload]
    with pytest.raises(error):
        build(world, covered)


async def test_no_root_is_stated_over_a_log_with_a_hole(world: LogWorld) -> None:
    roots = build(world)
    await write(world, 8)
    with world.engine.begin() as connection:
        connection.execute(delete(_ENTRIES).where(_ENTRIES.c.idx == 3))
    with pytest.raises(LogDamagedError):
        await roots.state()


async def test_no_root_is_stated_over_a_tag_that_occurs_twice(world: LogWorld) -> None:
    roots = build(world)
    await write(world, 8)
    with world.engine.begin() as connection:
        same = select(_ENTRIES.c.entry).where(_ENTRIES.c.idx == 2).scalar_subquery()
        connection.execute(update(_ENTRIES).where(_ENTRIES.c.idx == 5).values(entry=same))
    for _ in range(2):
        with pytest.raises(TagTwiceError):
            await roots.state()


async def test_a_root_that_another_process_states_while_this_one_starts(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How large the log is was read first, and the roots after that: nothing is missing."""
    await write(world, 3)
    other, size = build(world), world.log.size
    assert await other.state()
    monkeypatch.setattr(type(world.log), "size", property(lambda _: size))
    assert build(world).last == other.last
