"""The scalar rotates while questions are asked: everybody stays who they are, nobody is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import islice
from typing import cast

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from broker.adapters.rotation_store import SqlRotationStore
from broker.adapters.tables import PseudonymRecord, table_of
from broker.exchange import rotating as module
from broker.exchange.rotating import Rotating
from broker.pseudonyms.errors import EpochLeftError, RotationLost, RotationWaits
from broker.pseudonyms.rotation import Epochs, Turn
from datwat.party.http_out import PeerUnreachableError
from datwat.protocol import group
from datwat.protocol.ticket_errors import TicketEpochError
from keyholder.errors import (
    NoRotationError,
    RotationEarlyError,
    RotationRunsError,
    RotationUnturnedError,
)
from keyholder.secrets import write_scalar
from tests.conftest import choose_database
from tests.exchange.world import ON_EACH_DATABASE, Running, bsns, now, open_world
from tests.rotation.world import RotatingWorld, late, register, start_rotating

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
T = table_of(PseudonymRecord)
MANY = 1_000


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    with choose_database(request) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        world = RotatingWorld(tmp_path_factory.mktemp("world"), database_url=database)
        stack.callback(world.engine.dispose)
        yield await open_world(world, stack)


@pytest.fixture(scope="module")
def numbers() -> Iterator[str]:
    """Yield numbers of nobody, each once in this module and database."""
    return bsns()


def world_of(running: Running) -> RotatingWorld:
    return cast("RotatingWorld", running.world)


def present(running: Running) -> int:
    """Return the one epoch that there is."""
    (epoch,) = world_of(running).rotations.secrets.epochs
    return epoch.epoch


async def sign(running: Running) -> None:
    """Have a list signed with the epochs that the card has, and read by the broker."""
    keeper = running.broker.keeper
    running.world.write_list(keeper.directory.trust.seq + 1)
    assert await keeper.refresh()


async def begin(running: Running) -> tuple[int, int]:
    """Begin a rotation and have both epochs signed in."""
    world = world_of(running)
    said = await world.rotations.begin(running.broker.keeper.directory, now())
    world.use(int(said["current"]))  # and so keep its scalar, for when it is over
    await sign(running)
    return int(said["leaving"]), int(said["current"])


async def run_until(running: Running, rotating: Rotating, state: str) -> None:
    """Take steps until the key holder knows that it is so."""
    rotations = world_of(running).rotations
    for _ in range(MANY):
        found = rotations.rotation
        if found is not None and found.state == state:
            return
        rotating._asked_at = None  # noqa: SLF001 - as if two seconds had passed
        await rotating.run_step()
    pytest.fail(f"not {state} after {MANY} steps")


async def finish(running: Running, rotating: Rotating) -> None:
    """End it at the key holder, let the broker hear of it, and have the new card signed in."""
    await world_of(running).rotations.finish(running.broker.keeper.directory, late())
    rotating._asked_at = None  # noqa: SLF001 - as above
    await rotating.run_step()
    await sign(running)


def read_epochs(running: Running) -> Epochs:
    with running.broker.rooms.reading() as conn:
        return SqlRotationStore().find_epochs(conn)


def count_persons(running: Running) -> int:
    with running.broker.rooms.reading() as conn:
        found = conn.execute(select(func.count()).select_from(T), {}).scalar()
    return int(found or 0)


async def test_everybody_is_found_throughout_and_eight_at_once_are_one_person(
    broker: Running, numbers: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    old = present(broker)
    known = {bsn: await register(broker, bsn, old) for bsn in islice(numbers, 20)}
    leaving, current = await begin(broker)
    assert leaving == old < current
    rotating, asked, batches = start_rotating(broker), iter(list(known)), 0
    while not read_epochs(broker).is_done:
        await rotating.run_step()
        batches += 1
        bsn, stranger = next(asked), next(numbers)
        same = [bsn] * 8 + [stranger] * 8
        before = count_persons(broker)
        handles = await asyncio.gather(
            *(register(broker, one, leaving + place % 2) for place, one in enumerate(same))
        )
        assert set(handles[:8]) == {known[bsn]}
        assert len(set(handles[8:])) == 1
        assert count_persons(broker) == before + 1
        known[stranger] = handles[8]
    assert batches > 6
    await run_until(broker, rotating, "turned")
    with pytest.raises(RotationEarlyError):
        await world_of(broker).rotations.finish(broker.broker.keeper.directory, now())
    await finish(broker, rotating)
    assert not (world_of(broker).settings.home / "secrets" / f"scalar-{leaving}").exists()
    persons = count_persons(broker)
    for bsn, handle in known.items():
        assert await register(broker, bsn, current) == handle
    assert count_persons(broker) == persons
    with pytest.raises(TicketEpochError):
        await register(broker, next(numbers), leaving)


async def test_a_broker_that_begins_anew_waits_for_delta_and_goes_on(
    broker: Running, numbers: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    bsn = next(numbers)
    handle = await register(broker, bsn, present(broker))
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    while not read_epochs(broker).is_done:
        await rotating.run_step()
        rotating = start_rotating(broker)  # killed between any two batches
        for epoch in (leaving, current):
            with pytest.raises(RotationWaits):
                await register(broker, bsn, epoch)
            with pytest.raises(RotationWaits):
                await register(broker, next(numbers), epoch)
        await rotating.run_step()
        assert {await register(broker, bsn, epoch) for epoch in (leaving, current)} == {handle}
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    assert await register(broker, bsn, current) == handle


async def test_an_aborted_rotation_turns_back(
    broker: Running, numbers: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    world, directory = world_of(broker), broker.broker.keeper.directory
    before, bsn = present(broker), next(numbers)
    handle = await register(broker, bsn, before)
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    for _ in range(3):
        await rotating.run_step()
    stranger = next(numbers)
    new = await register(broker, stranger, leaving)  # written under `current`
    said = await world.rotations.abort(directory, now())
    assert (said["leaving"], said["current"]) == (current, leaving)
    await run_until(broker, rotating, "turned")
    for epoch in (leaving, current):
        assert await register(broker, bsn, epoch) == handle
        assert await register(broker, stranger, epoch) == new
    await finish(broker, rotating)
    assert await register(broker, stranger, before) == new
    with pytest.raises(NoRotationError):
        await world.rotations.abort(directory, now())


async def test_an_abort_before_the_broker_heard_of_it_is_over_at_once(broker: Running) -> None:
    world, directory = world_of(broker), broker.broker.keeper.directory
    before = world.rotations.secrets.epochs
    said = await world.rotations.begin(directory, now())
    said = await world.rotations.abort(directory, now())
    assert (said["rotation"], said["epochs"]) == ("ended", [before[0].epoch])
    assert world.rotations.secrets.epochs == before
    again = await world.rotations.begin(directory, now())
    assert again["current"] > said["epochs"][0] + 1  # no epoch has its number twice
    await world.rotations.abort(directory, now())


async def test_started_twice_or_finished_too_soon_is_said(broker: Running) -> None:
    world, directory = world_of(broker), broker.broker.keeper.directory
    rotations = world.rotations
    with pytest.raises(NoRotationError):
        await rotations.finish(directory, late(), at_once=True)
    await rotations.begin(directory, now())
    scalars = dict(rotations.secrets.scalars)
    with pytest.raises(RotationRunsError):
        await rotations.begin(directory, now())
    with pytest.raises(RotationUnturnedError):
        await rotations.finish(directory, late(), at_once=True)
    assert rotations.secrets.scalars == scalars
    await rotations.abort(directory, now())


async def test_a_key_holder_that_is_away_stops_nothing_that_has_delta(
    broker: Running, numbers: Iterator[str]
) -> None:
    world, bsn = world_of(broker), next(numbers)
    handle = await register(broker, bsn, present(broker))
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    await rotating.run_step()
    world.reaches = False
    rotating._asked_at = None  # noqa: SLF001 - as if two seconds had passed
    with pytest.raises(PeerUnreachableError):
        await rotating.run_step()
    assert {await register(broker, bsn, epoch) for epoch in (leaving, current)} == {handle}
    world.reaches = True
    world.restart()  # and goes on where it was
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    assert await register(broker, bsn, current) == handle


async def test_between_the_end_and_the_new_list_the_old_epoch_is_refused(
    broker: Running, numbers: Iterator[str]
) -> None:
    world = world_of(broker)
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    await run_until(broker, rotating, "turned")
    await world.rotations.finish(broker.broker.keeper.directory, now(), at_once=True)
    rotating._asked_at = None  # noqa: SLF001 - as above
    await rotating.run_step()
    bsn = next(numbers)
    await register(broker, bsn, current)
    with pytest.raises(EpochLeftError):
        await register(broker, bsn, leaving)
    await sign(broker)


async def test_a_broker_put_back_from_before_a_renewal_is_turned_with_the_old_share(
    broker: Running, numbers: Iterator[str]
) -> None:
    world, bsn = world_of(broker), next(numbers)
    handle = await register(broker, bsn, present(broker))
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    put_back(broker, leaving, current)
    with pytest.raises(EpochLeftError):  # and nobody is minted anew
        await register(broker, bsn, current)
    write_scalar(world.settings.home, leaving, world.scalars[leaving])  # as `restore` does
    world.restart()
    assert await begin(broker) == (leaving, current)
    rotating = start_rotating(broker)
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    assert await register(broker, bsn, current) == handle


def put_back(running: Running, leaving: int, current: int) -> None:
    """Have the rows lie as in a backup of before a rotation."""
    world, subjects = world_of(running), running.broker.rooms.registers.subjects
    factor = group.multiply_scalars(
        world.scalars[leaving], group.invert_scalar(world.scalars[current])
    )
    keys = {epoch: group.multiply_base(world.scalars[epoch]) for epoch in (leaving, current)}
    back, store = Turn.build(current, leaving, factor, keys), SqlRotationStore()
    with running.broker.store.writing() as conn:
        assert store.begin(conn, current, leaving)
        rows = [subjects.build_turned(row, back) for row in store.list_rows(conn, b"", MANY)]
        store.turn_rows(conn, store.find_epochs(conn), rows, b"\xff")
        store.restart(conn, store.find_epochs(conn), is_done=True)
        assert store.end(conn, leaving)


async def test_scalars_that_were_found_are_turned_back_and_nobody_is_lost(
    broker: Running, numbers: Iterator[str]
) -> None:
    """The old shares are back, and no rotation was needed: an abort destroys nothing by itself."""
    world, bsn, directory = world_of(broker), next(numbers), broker.broker.keeper.directory
    handle = await register(broker, bsn, present(broker))
    leaving, current = await begin(broker)
    rotating = start_rotating(broker)
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    write_scalar(world.settings.home, leaving, world.scalars[leaving])  # as `restore` does
    world.restart()
    await world.rotations.begin(directory, now())
    said = await world.rotations.abort(directory, now())
    assert (said["rotation"], said["epochs"]) == ("begun", [leaving, current])
    assert await register(broker, bsn, current) == handle
    await sign(broker)
    rotating = start_rotating(broker)
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
    assert await register(broker, bsn, present(broker)) == handle


async def test_a_rotation_that_the_key_holder_does_not_know_is_an_alarm(
    broker: Running, numbers: Iterator[str]
) -> None:
    """One of the two was put back from a backup: nothing is turned by guess."""
    world = world_of(broker)
    await register(broker, next(numbers), present(broker))
    await begin(broker)
    rotating = start_rotating(broker)
    await rotating.run_step()
    found, world.rotations.rotation = world.rotations.rotation, None
    rotating._asked_at = None  # noqa: SLF001 - as above
    with pytest.raises(RotationLost):
        await rotating.run_step()
    world.rotations.rotation = found
    await run_until(broker, rotating, "turned")
    await finish(broker, rotating)
