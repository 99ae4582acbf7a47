"""The log's server stopped at once, under load: nothing acknowledged is lost, and it goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.adapters.database import migrate, open_engine
from broker.audit.log import Log
from broker.audit.records import LogError
from datwat.protocol.entry import parse_entry
from tests.audit.conftest import AT, LogWorld
from tests.postgres import OwnServer, own_server

pytestmark = pytest.mark.postgres

_CLIENTS = 8
_ROUNDS = 3
_LONG_ROUNDS = 50
_BACK_SECONDS = 10.0


class Load:
    """Clients that append without end, and try again when they are refused."""

    def __init__(self, world: LogWorld, log: Log) -> None:
        self.world = world
        self.log = log
        self.told: list[tuple[int, bytes]] = []
        self.refused = 0
        self._is_over = False
        self._told_more = asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(*(self._append_for_ever() for _ in range(_CLIENTS)))

    def end(self) -> None:
        self._is_over = True

    async def await_more(self) -> None:
        """Wait until something that was handed over after now is acknowledged by each client."""
        wanted = len(self.told) + 3 * _CLIENTS
        async with asyncio.timeout(_BACK_SECONDS):
            while len(self.told) < wanted:
                await self._told_more.wait()
                self._told_more.clear()

    async def _append_for_ever(self) -> None:
        while not self._is_over:
            keys = self.world.sealing.mint_subject(AT)
            job = self.world.job(self.world.prepare(keys), keys=(keys,))
            try:
                appended = await self.log.append(job)
            except LogError:
                self.refused += 1
                await asyncio.sleep(0.02)
                continue
            (place,) = appended.entries
            assert place.tag is not None
            self.told.append((place.index, place.tag))
            self._told_more.set()


async def stop_and_start(server: OwnServer, load: Load) -> None:
    await load.await_more()
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(server.start)
    await load.await_more()


@pytest.mark.long
async def test_what_was_acknowledged_is_there_and_the_log_goes_on(
    tmp_path: Path, whole: bool
) -> None:
    with own_server() as server:
        engine = open_engine(server.url)
        migrate(engine)
        world = LogWorld(engine, tmp_path)
        load = Load(world, world.start())
        running = asyncio.create_task(load.run())
        for _ in range(_LONG_ROUNDS if whole else _ROUNDS):
            await stop_and_start(server, load)
        load.end()
        await running
        require_kept(world, load)
        engine.dispose()


def require_kept(world: LogWorld, load: Load) -> None:
    """Assert that what was told is there, where it was said, after a start as a new process."""
    assert world.failures == []
    assert load.refused > 0
    assert len({index for index, _ in load.told}) == len(load.told)
    world.stop()
    log = world.start()  # against the ratchet, and from the rows
    assert log.size > max(index for index, _ in load.told)
    with world.store.reading() as connection:
        for index, tag in load.told:
            row = world.store.find_entry(connection, index)
            assert row is not None
            assert parse_entry(row.entry).ref == tag
        indexes = connection.exec_driver_sql("SELECT idx FROM log_entries ORDER BY idx")
        assert list(indexes.scalars()) == list(range(log.size))
    world.stop()
