"""Killed before each single step of writer, ratchet and signer: nothing acknowledged is lost.

A step is a statement of the driver, a write or sync of the ratchet, a signature. `make test` takes
some of the steps, `make test-long` every one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint
from datwat.protocol.merkle import verify_consistency
from tests.audit.conftest import ORIGIN, LogWorld

_ENTRIES = 3


def _run(world: LogWorld, url: str, kill_at: int) -> tuple[list[str], int]:
    """Return what a child said, and how it ended."""
    key = world.key.private_bytes_raw().hex()
    done = subprocess.run(
        [sys.executable, "-m", "tests.audit.steady_child", url, str(world.folder), key],
        capture_output=True,
        text=True,
        env=os.environ | {"STEADY_COUNT": str(_ENTRIES), "STEADY_KILL_AT": str(kill_at)},
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines(), done.returncode


def _read_notes(world: LogWorld, lines: list[str]) -> list[Checkpoint]:
    vkeys = [world.checkpoints.vkey]
    return [
        verify_checkpoint(bytes.fromhex(line.split()[2]), ORIGIN, vkeys)
        for line in lines
        if line.startswith("written ")
    ]


def _require_whole(world: LogWorld, told: list[str]) -> None:
    """Start again: every entry told of is there, and every signed root begins the next."""
    log = world.start()
    head = verify_checkpoint(log.checkpoint().encode(), ORIGIN, [world.checkpoints.vkey])
    with world.store.reading() as connection:
        for line in told:
            if line.startswith("written "):
                assert world.store.find_entry(connection, int(line.split()[1])) is not None
    for before in _read_notes(world, told):
        proof = log.build_consistency(before.size, head.size)
        verify_consistency(before.size, head.size, proof, before.root, head.root)
    world.stop()


@pytest.mark.long
def test_killed_before_each_step(
    engine: Engine,
    database_url: str,
    folder: Path,
    whole: bool,
) -> None:
    world = LogWorld(engine, folder)
    lines, code = _run(world, database_url, kill_at=1_000_000)
    assert code == 0
    steps = int(lines[-1].removeprefix("done "))
    assert steps >= _ENTRIES * 8, "statements, two writes and syncs, a signature for each entry"
    told = lines[:-1]
    for kill_at in range(1, steps + 1, 1 if whole else max(1, steps // 4)):
        said, code = _run(world, database_url, kill_at)
        assert code == -signal.SIGKILL
        assert not any(line.startswith("done") for line in said)
        told += said
        _require_whole(world, told)
