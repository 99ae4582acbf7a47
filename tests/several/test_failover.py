"""The primary dies under load and its synchronous standby takes over: nothing is lost or forked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.adapters.database import migrate, open_engine
from broker.audit.records import LogBehindError, LogError, LogForkedError
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.merkle import verify_consistency
from tests.audit.conftest import ORIGIN
from tests.conftest import execute_on_server, open_database
from tests.postgres import OwnServer, own_server
from tests.several.standby import change_setting, is_followed, promote, standby_of
from tests.several.test_two_logs import Process, Together
from tests.several.world import await_true

pytestmark = [pytest.mark.postgres, pytest.mark.long]
_WRITERS = 6


@pytest.fixture
def primary(postgres_url: str) -> Iterator[OwnServer]:
    del postgres_url  # absent where there are no server programs
    with own_server() as server:
        yield server


class Load:
    """Writers at every process, who go on through anything and keep what was acknowledged."""

    def __init__(self, processes: list[Process]) -> None:
        self.told: list[tuple[int, bytes, str]] = []
        self.refused = 0
        self.is_over = False
        self._tasks = [
            asyncio.ensure_future(self._write(processes[at % len(processes)], at))
            for at in range(_WRITERS)
        ]

    async def _write(self, process: Process, number: int) -> None:
        count = 0
        while not self.is_over:
            document = f"{number} {count}".encode()
            count += 1
            try:
                appended = await process.state(document)
            except LogError:
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            entry = appended.entries[0]
            self.told.append((entry.index, document, appended.checkpoint))

    async def await_more(self) -> None:
        """Wait until fifty more are acknowledged."""
        wanted = len(self.told) + 50
        async with asyncio.timeout(60):
            while len(self.told) < wanted:  # noqa: ASYNC110 - the log tells the writers alone
                await asyncio.sleep(0.05)

    async def end(self) -> None:
        self.is_over = True
        await asyncio.gather(*self._tasks)


async def test_a_fail_over_loses_nothing_acknowledged_and_forks_nothing(
    primary: OwnServer, postgres_url: str, tmp_path: Path, whole: bool
) -> None:
    for round_ in range(10 if whole else 1):
        execute_on_server(primary.url, f"CREATE DATABASE broker_{round_}")
        folder = tmp_path / str(round_)
        folder.mkdir()
        with open_database(postgres_url) as ratchet, standby_of(primary) as standby:
            await _fail_over(primary, standby, f"broker_{round_}", ratchet, folder)
        primary.start()


async def _fail_over(
    primary: OwnServer, standby: OwnServer, name: str, ratchet: str, folder: Path
) -> None:
    await_true(lambda: is_followed(primary), 30.0, "the standby does not follow")
    both = (
        f"postgresql://postgres@/{name}?host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}"
    )
    engine = open_engine(both)
    migrate(engine)
    engine.dispose()
    together = Together(both, ratchet, folder)
    with together.stack:
        processes = [together.open() for _ in range(3)]
        load = Load(processes)
        await load.await_more()
        await asyncio.to_thread(primary.stop)
        await asyncio.to_thread(promote, standby)
        await load.await_more()  # they reconnect by themselves
        await load.end()
        assert all(process.failures == [] for process in processes)
        _require_all_there(processes[0], together, load)
    # The old primary comes back by mistake: whoever serves from it is stopped by the ratchet.
    await asyncio.to_thread(primary.start, "synchronous_standby_names=''")
    alone = f"postgresql://postgres@127.0.0.1:{primary.port}/{name}"
    late = Process.open(alone, ratchet, folder, together.checkpoints)
    with pytest.raises((LogBehindError, LogForkedError)):
        late.log.start()
    late.close()
    change_setting(primary, "synchronous_standby_names", "")  # for the next round
    await asyncio.to_thread(primary.stop, "fast")


def _require_all_there(process: Process, together: Together, load: Load) -> None:
    """Assert that what was acknowledged lies where it was said, under heads of one tree."""
    assert len({index for index, _, _ in load.told}) == len(load.told)
    with process.store.reading() as conn:
        for index, document, _ in load.told:
            row = process.store.find_entry(conn, index)
            assert row is not None
            assert row.document == document
    newest = verify_checkpoint(
        process.log.checkpoint().encode(), ORIGIN, [together.checkpoints.vkey]
    )
    for note in {note for _, _, note in load.told}:
        head = verify_checkpoint(note.encode(), ORIGIN, [together.checkpoints.vkey])
        proof = process.log.build_consistency(head.size, newest.size)
        verify_consistency(head.size, newest.size, proof, head.root, newest.root)
