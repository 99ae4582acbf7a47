"""A rotation is done when no row is left that could be turned, whoever keeps house and forgets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from broker.exchange import rotating as module
from broker.exchange.row_turning import OVERLAP, SEEN_AFTER
from tests.adapters.registers import NOW
from tests.audit.conftest import LogWorld, folder, world
from tests.keys.ring_world import build_turning, keep_all
from tests.rotation.house import LOWEST, MANY, House, Process

__all__ = ["folder", "world"]

pytestmark = pytest.mark.asyncio
BATCH = 4
PEOPLE = 16
SECOND, LAST = bytes(31) + b"\1", b"\xff" * 32


@pytest.fixture
def house(world: LogWorld, folder: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(module, "BATCH", BATCH)
    made = House(world, folder)
    made.add(made.open(), PEOPLE)
    return made


async def hear(house: House, *processes: Process) -> None:
    """Have these processes hear of a rotation, one after the other; none turns a row yet."""
    keepers, house.keepers = house.keepers, ()
    for process in processes:
        await process.step()
    house.keepers = keepers


async def turn_pass(house: House, process: Process) -> None:
    """Take steps until the pass that is under way is over."""
    for _ in range(MANY):
        if not house.epochs.cursor:
            return
        await process.step()
    pytest.fail(f"the pass is not over after {MANY} steps")


async def test_what_was_damaged_in_an_earlier_rotation_excuses_nothing_in_the_next(
    house: House,
) -> None:
    one, two = house.open(keeps_house=True), house.open()
    house.damage(house.list_rows()[0])
    house.holder.begin()
    await hear(house, one, two)
    await house.turn_all(one, two)
    assert one.rotating.build_status()["rotation_damaged"] == 1
    await house.finish(one, two)
    house.holder.begin()
    await hear(house, two, one)
    assert one.rotating.build_status()["rotation_damaged"] == 0
    await one.step()
    house.move_behind()
    await house.turn_all(one)
    house.require_turned()
    house.require_found(one, two)


@pytest.mark.parametrize("is_back", [False, True], ids=["on", "back"])
async def test_it_is_done_when_nothing_is_left_and_not_before(
    house: House, *, is_back: bool
) -> None:
    process = house.open(keeps_house=True)
    house.holder.begin()
    await hear(house, process)
    if is_back:
        await house.turn_all(process)
        house.holder.abort()
        await hear(house, process)
    await process.step()
    house.move_behind()
    await turn_pass(house, process)
    assert not house.epochs.is_done
    assert house.list_ahead()
    await house.turn_all(process)
    house.require_turned()
    await house.finish(process)
    house.require_found(process)


@pytest.mark.parametrize("count", [1, BATCH + 1, PEOPLE])
async def test_a_damaged_row_stops_nothing_and_is_told(house: House, count: int) -> None:
    process = house.open(keeps_house=True)
    for row in house.list_rows()[:count]:
        house.damage(row)
    house.holder.begin()
    await hear(house, process)
    with capture_logs() as lines:
        await house.turn_all(process)
    house.require_turned()
    events = [line["event"] for line in lines]
    assert events.count("epoch_row_damaged") == count
    assert [line["damaged"] for line in lines if line["event"] == "epoch_turned"] == [count]
    said = process.rotating.build_status()
    assert (said["rotation"], said["rotation_damaged"]) == ("turned", count)
    assert said["rotation_turned"] == PEOPLE - count
    await house.finish(process)
    house.require_found(process)


async def test_a_row_that_lies_under_another_subject_is_left(house: House) -> None:
    process = house.open(keeps_house=True)
    one, two = house.list_rows()[:2]
    house.damage(one, two.sealed)
    house.holder.begin()
    await hear(house, process)
    await house.turn_all(process)
    house.require_turned()
    house.require_found(process)


async def test_a_row_that_opens_again_is_turned(house: House) -> None:
    process, row = house.open(keeps_house=True), house.list_rows()[0]
    house.damage(row)
    house.holder.begin()
    await hear(house, process)
    await process.step()
    assert process.rotating.build_status()["rotation_damaged"] == 1
    house.mend(row)
    await turn_pass(house, process)
    assert not house.epochs.is_done
    await process.step()
    assert process.rotating.build_status()["rotation_damaged"] == 0
    await house.turn_all(process)
    house.require_turned()
    house.require_found(process)


async def test_what_one_process_counted_is_nothing_to_another(house: House) -> None:
    """The one meets the damaged row in two passes, of which it ends the second alone."""
    one, two = house.open(keeps_house=True), house.open()
    house.damage(house.list_rows()[0])
    house.move(house.list_rows()[0], SECOND)
    house.holder.begin()
    await hear(house, one, two)
    await one.step()
    moved = house.move_behind()
    house.keepers = (two,)
    await turn_pass(house, two)
    assert not house.epochs.is_done
    house.move(moved, LAST)
    house.keepers = (one,)
    await one.step()
    house.move(moved, LOWEST)
    await turn_pass(house, one)
    assert not house.epochs.is_done
    await house.turn_all(one)
    house.require_turned()
    house.require_found(one, two)


@pytest.mark.parametrize("damaged", [0, 1, 3])
async def test_the_housekeeper_changes_at_every_step(house: House, damaged: int) -> None:
    for row in house.list_rows()[::5][:damaged]:
        house.damage(row)
    house.holder.begin()
    process = house.open()
    await hear(house, process)
    for number in range(50):
        process = house.open(keeps_house=True)  # and so remembers nothing
        await process.step()
        if number == 1:
            house.move_behind()
        if house.epochs.is_done:
            break
    house.require_turned()
    house.require_found(process)
    assert process.rotating.build_status()["rotation_damaged"] == damaged


@pytest.mark.parametrize("damaged", [0, 2])
async def test_two_that_both_keep_house_turn_each_row_once(house: House, damaged: int) -> None:
    one, two = house.open(), house.open()
    for row in house.list_rows()[:damaged]:
        house.damage(row)
    house.holder.begin()
    await hear(house, one, two)
    house.keepers = (one, two)
    for number in range(50):
        await asyncio.gather(one.step(), two.step())
        if number == 1:
            house.move_behind()
        if house.epochs.is_done:
            break
    house.require_turned()
    house.require_found(one, two)
    assert house.epochs.turned == PEOPLE - damaged


@pytest.mark.parametrize("is_row_key_first", [True, False], ids=["row-key-first", "scalar-first"])
async def test_everybody_is_found_while_both_rotate(
    house: House, *, is_row_key_first: bool
) -> None:
    one, two = house.open(keeps_house=True), house.open()
    house.add(one, 40)
    rows = build_turning(house.file, house.world.log, house.world.store.reading)
    house.damage(house.list_rows()[5])
    house.holder.begin()
    await hear(house, one, two)
    house.file.start(NOW)
    turned = NOW + SEEN_AFTER
    await rows.keep(turned, BATCH)
    assert house.file.keys.state.is_turned
    for _ in range(5):
        await one.step()
    behind = 0
    for process in (one, two, one, two, one, two):
        await rows.keep(turned + SEEN_AFTER, 12)
        house.require_found(one, two)
        behind += len(house.list_left()) - len(house.list_ahead())
        house.keepers = (process,)
        await process.step()
        house.require_found(one, two)
        house.add(process)
    assert behind
    if is_row_key_first:
        await keep_all(rows, turned + OVERLAP + SEEN_AFTER)
        house.require_found(one, two)
    await house.turn_all(one, two)
    house.require_turned()
    house.require_found(one, two)
    await house.finish(one, two)
    house.require_found(one, two)
    await keep_all(rows, turned + OVERLAP + SEEN_AFTER)
    assert list(house.file.keys.state.keys) == [2]
    assert list(house.holder.scalars) == [2]
    house.reopen()
    house.require_found(one, two, house.open())
