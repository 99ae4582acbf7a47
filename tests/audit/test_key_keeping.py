"""Every living key moves to the newest generation before an old one is destroyed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyrage import x25519
from sqlalchemy import Connection, Engine, select, update

from broker.adapters.backup import make_backup
from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import FileKek
from broker.adapters.log_tables import DataSubject, LogHead, QuarterKey, table_of
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.records import Appendable, Job
from broker.audit.sealing import Sealing
from datwat.protocol.sealing import UnsealError
from tests.audit.conftest import AT, LogWorld

_LIVES = KeyLives(seals=timedelta(days=7), opens=timedelta(days=30))
_SETTLED = timedelta(minutes=10)


@pytest.fixture
def world(engine: Engine, folder: Path) -> Iterator[LogWorld]:
    made = LogWorld(engine, folder)
    made.start()
    yield made
    made.stop()


def _build(world: LogWorld) -> KeyKeeper:
    return KeyKeeper(world.store, SqlEnds(), world.kek, world.log, _LIVES)


def _read_generations(world: LogWorld) -> set[int]:
    tables = ((DataSubject, "chain_key_sealed"), (QuarterKey, "key_sealed"))
    found = set()
    with world.store.reading() as conn:
        for model, column in (*tables, (LogHead, "delayed_chain_key_sealed")):
            keys = conn.execute(select(table_of(model).c[column])).scalars()
            found |= {world.kek.read_generation(bytes(key)) for key in keys}
    return found


async def _fill(world: LogWorld, count: int) -> list[bytes]:
    people = [world.sealing.mint_subject(AT) for _ in range(count)]
    for keys in people:
        entry = world.prepare(keys, payload=keys.subject_id)
        await world.log.append(world.job(entry, keys=(keys,)))
    return [keys.subject_id for keys in people]


async def _keep(keeper: KeyKeeper, now: datetime) -> int:
    steps = 0
    while await keeper.keep(now, 4):
        steps += 1
        assert steps < 100
    return steps


def _require_readable(world: LogWorld, people: list[bytes]) -> None:
    sealing = Sealing(FileKek.open(world.folder / "kek"), world.store)
    assert len(sealing.open_delayed_chain_key()) == 32
    with world.store.reading() as conn:
        for subject_id in people:
            rows = world.store.fetch_entries_of(conn, subject_id, ["open"], limit=9, before=None)
            contents = sealing.open_contents(conn, subject_id, rows)
            assert [one and one.payload for one in contents] == [subject_id]
            assert sealing.fetch_keys(conn, [subject_id], AT)


async def test_a_generation_is_replaced_emptied_and_destroyed(world: LogWorld) -> None:
    people, keeper = await _fill(world, 10), _build(world)
    (first,) = world.kek.list_generations()
    turned_at = first.started_at + _LIVES.seals
    assert await _keep(keeper, turned_at - timedelta(seconds=1)) == 0
    assert await _keep(keeper, turned_at) == 0  # keys may still be on their way
    assert [one.number for one in world.kek.list_generations()] == [1, 2]
    people += await _fill(world, 1)
    assert await _keep(keeper, turned_at + _SETTLED) > 0
    assert _read_generations(world) == {2}
    _require_readable(world, people)
    over = first.started_at + _LIVES.opens
    for now in (over - timedelta(seconds=1), over):
        due, _ = keeper.list_due(now)
        assert due
    # The third generation comes first; the first one goes once nothing lies under it.
    await _keep(keeper, over)
    assert [one.number for one in world.kek.list_generations()] == [1, 2, 3]
    await _keep(keeper, over + _SETTLED)
    assert [one.number for one in world.kek.list_generations()] == [2, 3]
    assert _read_generations(world) == {3}
    assert keeper.read_lag(over) < _LIVES.opens
    _require_readable(world, people)


async def test_a_restart_in_the_middle_begins_anew_and_loses_nothing(world: LogWorld) -> None:
    people, keeper = await _fill(world, 10), _build(world)
    (first,) = world.kek.list_generations()
    now = first.started_at + _LIVES.seals
    await keeper.keep(now, 4)
    for _ in range(2):
        await keeper.keep(now + _SETTLED, 4)
    assert _read_generations(world) == {1, 2}
    _require_readable(world, people)
    again = _build(world)
    await _keep(again, now + _SETTLED)
    assert _read_generations(world) == {2}
    _require_readable(world, people)


async def test_a_generation_with_keys_under_it_is_not_destroyed(world: LogWorld) -> None:
    people, keeper = await _fill(world, 10), _build(world)
    (first,) = world.kek.list_generations()
    over = first.started_at + _LIVES.opens
    await keeper.keep(over, 4)
    await keeper.keep(over + _SETTLED, 4)
    assert [one.number for one in world.kek.list_generations()] == [1, 2]
    _require_readable(world, people)


async def test_a_backup_of_before_opens_no_more(world: LogWorld) -> None:
    people, keeper = await _fill(world, 1), _build(world)
    with world.store.reading() as conn:
        (old,) = conn.execute(select(table_of(QuarterKey).c.key_sealed)).scalars()
    (first,) = world.kek.list_generations()
    over = first.started_at + _LIVES.opens
    await _keep(keeper, over)
    await _keep(keeper, over + _SETTLED)
    with pytest.raises(UnsealError):
        world.kek.unseal(bytes(old), people[0] + b"2026Q4")
    await world.log.append(Job(lambda _: []))


async def test_a_key_that_opens_no_more_holds_up_nobody_elses(
    world: LogWorld, engine: Engine, tmp_path: Path
) -> None:
    people, keeper = await _fill(world, 10), _build(world)
    keys, subjects = table_of(QuarterKey), table_of(DataSubject)

    def damage(conn: Connection) -> Sequence[Appendable]:
        broken = bytes((0, 1)) + bytes(58)
        conn.execute(update(keys).where(keys.c.subject_id == people[0]).values(key_sealed=broken))
        conn.execute(
            update(subjects)
            .where(subjects.c.subject_id == people[1])
            .values(chain_key_sealed=broken)
        )
        return []

    await world.log.append(Job(damage))
    (first,) = world.kek.list_generations()
    over = first.started_at + _LIVES.opens
    await _keep(keeper, over)
    await _keep(keeper, over + _SETTLED)
    assert [one.number for one in world.kek.list_generations()] == [2]
    assert _read_generations(world) == {1, 2}  # what was damaged stays as it is
    _require_readable(world, people[2:])
    made = make_backup(
        engine,
        tmp_path / "a.age",
        recipient=str(x25519.Identity.generate().to_public()),
        kek=world.kek,
        row_key=bytes(32),
        now=over,
    )
    assert made.size == world.log.size
