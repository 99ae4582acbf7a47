"""Killed at any moment: nothing acknowledged is lost, and every signed root is a prefix."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from broker.adapters.database import open_engine
from broker.audit.records import Job, LogBehindError, Statement
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import parse_entry
from datwat.protocol.merkle import verify_consistency
from tests.audit.conftest import AT, ORIGIN, LogWorld

_ROUNDS = 4
_LONG_ROUNDS = 200


def _run_until_killed(world: LogWorld, url: str, seconds: float) -> list[dict[str, Any]]:
    """Return what the child acknowledged before it was killed."""
    key = world.key.private_bytes_raw().hex()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.audit.crash_child", url, str(world.folder), key],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout:
        first = child.stdout.readline()
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        told, _, torn = (first + child.stdout.read()).rpartition("\n")
    child.wait()
    assert torn == "" or not torn.endswith("}")
    return [json.loads(line) for line in told.split("\n")]


@pytest.mark.long
def test_killed_at_random_moments(
    engine: Engine,
    database_url: str,
    folder: Path,
    whole: bool,
) -> None:
    world = LogWorld(engine, folder)
    told: list[dict[str, Any]] = []
    for _ in range(_LONG_ROUNDS if whole else _ROUNDS):
        told += _run_until_killed(world, database_url, random.uniform(0.02, 0.25))  # noqa: S311
    log = world.start()
    assert len({item["index"] for item in told}) == len(told)
    with world.store.reading() as connection:
        for item in told:
            row = world.store.find_entry(connection, item["index"])
            assert row is not None
            assert parse_entry(row.entry).ref.hex() == item["tag"]
    head = verify_checkpoint(log.checkpoint().encode(), ORIGIN, [world.checkpoints.vkey])
    for note in {item["note"] for item in told}:
        stated = verify_checkpoint(note.encode(), ORIGIN, [world.checkpoints.vkey])
        proof = log.build_consistency(stated.size, head.size)
        verify_consistency(stated.size, head.size, proof, stated.root, head.root)
    assert log.size >= max(item["index"] for item in told) + 1
    world.stop()


@pytest.mark.sqlite_only("copies the file; tests/log/machine.py does it on both")
async def test_a_snapshot_put_back_is_refused_and_the_newest_state_is_not(
    sqlite_url: str, folder: Path
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    engine = open_engine(sqlite_url)
    world = LogWorld(engine, folder)

    async def run(count: int) -> None:
        world.start()
        jobs = [Job(lambda _: [Statement(b"document", AT)]) for _ in range(count)]
        await asyncio.gather(*map(world.log.append, jobs))
        world.stop()
        engine.dispose()

    await run(10)
    shutil.copy(path, folder / "old.db")
    await run(10)
    shutil.copy(path, folder / "new.db")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(folder / "old.db", path)
    with pytest.raises(LogBehindError):
        world.start()
    engine.dispose()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(folder / "new.db", path)
    await run(1)
    assert world.log.size == 21
