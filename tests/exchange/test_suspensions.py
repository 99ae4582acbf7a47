"""Partners suspended here: at once, after a restart, and whatever database was put back."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.app import build_commands
from broker.audit.records import Appended, Job, LogError
from broker.exchange.suspensions import PartnerNotListedError
from datwat.party.trust_list import PartnerSuspendedError
from tests.exchange.world import (
    Running,
    World,
    bsns,
    draw,
    inquire,
    inquiry_part,
    open_household,
    open_world,
)

NUMBERS = bsns()


async def command(running: Running, name: str, partner: str) -> None:
    """Run `datwat broker suspend|resume PARTNER` as the running process does."""
    await build_commands(running.broker, lambda: None)[name]({"partner": partner})


async def is_heard(running: Running) -> bool:
    try:
        await open_household(running, next(NUMBERS))
    except PartnerSuspendedError:
        return False
    return True


async def run(world: World, *steps: str) -> tuple[bool, bool]:
    """Start the broker, do the steps, and tell who was heard at the start and at the end."""
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        before = await is_heard(running)
        for name in steps:
            await command(running, name, world.members["social-team"].id)
        return before, await is_heard(running)


async def test_a_suspension_and_its_end_survive_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert await run(world, "suspend", "suspend") == (True, False)
    assert await run(world) == (False, False)
    assert await run(world, "resume", "resume") == (False, True)
    assert await run(world, "suspend", "resume", "suspend") == (True, False)
    assert await run(world, "resume") == (False, True)


async def test_a_database_without_the_suspension_opens_nobody(tmp_path: Path) -> None:
    """The rows are lost; the ratchet still has it, and the database learns it again."""
    world = World(tmp_path)
    assert await run(world, "suspend") == (True, False)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        with running.broker.store.writing() as conn:
            assert conn.exec_driver_sql("DELETE FROM suspensions").rowcount == 1
    assert await run(world) == (False, False)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        with running.broker.store.reading() as conn:
            rows = conn.exec_driver_sql("SELECT partner, number FROM suspensions").all()
    assert [tuple(row) for row in rows] == [(world.members["social-team"].id, 1)]


async def test_a_partner_that_nobody_knows_is_not_suspended(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        for name in ("suspend", "resume"):
            with pytest.raises(PartnerNotListedError):
                await command(running, name, f"{draw().hex()[:20]}:school")
        assert running.broker.keeper.directory.closed == frozenset()


def lose_next(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the database away for the next step; the ratchet lies elsewhere and has it."""

    async def lose(_job: Job) -> Appended:
        monkeypatch.undo()
        raise LogError

    monkeypatch.setattr(running.broker.log, "append", lose)


async def test_a_suspension_that_failed_is_written_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes of the broker know of it from the database alone."""
    world = World(tmp_path)
    partner = world.members["social-team"].id
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        lose_next(running, monkeypatch)
        with pytest.raises(LogError):
            await command(running, "suspend", partner)
        assert not await is_heard(running)
        await command(running, "suspend", partner)
        with running.broker.store.reading() as conn:
            rows = conn.exec_driver_sql("SELECT partner, number FROM suspensions").all()
    assert [tuple(row) for row in rows] == [(partner, 1)]


async def test_a_suspension_after_a_resumption_that_failed_holds_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ratchet has the resumption: a suspension below it would open the partner."""
    world = World(tmp_path)
    partner = world.members["social-team"].id
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        await command(running, "suspend", partner)
        lose_next(running, monkeypatch)
        with pytest.raises(LogError):
            await command(running, "resume", partner)
        await command(running, "suspend", partner)
        assert not await is_heard(running)
    assert await run(world, "resume") == (False, True)


@pytest.mark.parametrize("waits_for", ["OPA", "the log"])
async def test_who_is_suspended_while_a_question_waits_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_for: str
) -> None:
    world = World(tmp_path)
    partner = world.members["social-team"].id
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        home = await open_household(running, next(NUMBERS))
        rooms = running.broker.rooms
        place, name = (rooms.engine, "evaluate") if waits_for == "OPA" else (rooms.log, "append")
        go_on = getattr(place, name)

        async def wait(*given: object) -> object:
            monkeypatch.undo()
            await command(running, "suspend", partner)
            return await go_on(*given)

        monkeypatch.setattr(place, name, wait)
        size = running.broker.log.size
        with pytest.raises(PartnerSuspendedError):
            await inquire(running, home)
        assert running.broker.log.size == size
        await command(running, "resume", partner)
        assert inquiry_part(await inquire(running, home)).weighing.permitted
