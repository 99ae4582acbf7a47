"""What the disk does to the log: the order of its syncs, errors, and no room left.

The order is read from the system calls themselves (strace): before an answer leaves, the entry's
transaction is synced, then the ratchet. SQLite with `synchronous=NORMAL` is the control: there the
same check must fail.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.adapters.database import open_engine
from datwat.protocol.checkpoint import verify_checkpoint
from tests.audit.conftest import ORIGIN, LogWorld

pytestmark = pytest.mark.xdist_group("disk")
_SYNC = re.compile(r"fdatasync\(\d+<([^>]*)>|fsync\(\d+<([^>]*)>")
_WRITTEN = re.compile(r'write\(1<[^>]*>, "written ')


def _require(program: str) -> None:
    if shutil.which(program) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is missing: `make test` installs it")
        pytest.skip(f"no {program} on this machine")


def _command(world: LogWorld, url: str) -> list[str]:
    key = world.key.private_bytes_raw().hex()
    return [sys.executable, "-m", "tests.audit.steady_child", url, str(world.folder), key]


def _run(command: list[str], **environment: str) -> list[str]:
    """Return the lines of a child that ended by itself."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines()


def _indexes(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("written ")]


def _require_kept(world: LogWorld, lines: list[str]) -> None:
    """Start again: every acknowledged entry is there, and the head covers every note."""
    log = world.start()
    notes = [bytes.fromhex(line.split()[2]) for line in lines if line.startswith("written ")]
    sizes = [verify_checkpoint(note, ORIGIN, [world.checkpoints.vkey]).size for note in notes]
    assert log.size >= max([*sizes, *(index + 1 for index in _indexes(lines))], default=0)
    with world.store.reading() as connection:
        assert all(world.store.find_entry(connection, index) for index in _indexes(lines))
    world.stop()


def _count_early(trace: Path) -> int:
    """Return how many answers left before their transaction and then the ratchet were synced."""
    early, synced = 0, []
    for line in trace.read_text(errors="replace").splitlines():
        if found := _SYNC.search(line):
            synced.append(Path(found[1] or found[2]).name)
        elif _WRITTEN.search(line):
            log = next((at for at, name in enumerate(synced) if name.endswith("-wal")), None)
            early += log is None or "ratchet" not in synced[log:]
            synced = []
    return early


@pytest.mark.parametrize(("synchronous", "early"), [("FULL", 0), ("NORMAL", None)])
@pytest.mark.sqlite_only("looks at what the broker itself writes to its disk")
def test_no_answer_leaves_before_its_transaction_and_the_ratchet_are_synced(
    sqlite_url: str, folder: Path, synchronous: str, early: int | None
) -> None:
    _require("strace")
    engine = open_engine(sqlite_url)
    world = LogWorld(engine, folder)
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-qq", "-e", "trace=fdatasync,fsync,write", "-o", str(trace)]
    lines = _run(
        [*command, *_command(world, sqlite_url)], STEADY_COUNT="30", STEADY_SYNCHRONOUS=synchronous
    )
    assert len(_indexes(lines)) == 30
    found = _count_early(trace)
    if early is None:  # the control: what the check looks for does happen, and is seen
        assert found >= 25
    else:
        assert found == early
    engine.dispose()


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.sqlite_only("looks at what the broker itself writes to its disk")
def test_an_error_of_the_disk_stops_the_log_and_answers_nothing_more(
    sqlite_url: str, folder: Path, call: str
) -> None:
    _require("strace")
    engine = open_engine(sqlite_url)
    world = LogWorld(engine, folder)
    inject = f"inject={call}:error=EIO:when=40+"
    command = ["strace", "-f", "-qq", "-e", f"trace={call}", "-e", inject, "-o", os.devnull]
    lines = _run([*command, *_command(world, sqlite_url)], STEADY_COUNT="60")
    assert _indexes(lines)
    assert lines[-1] == "stopped"
    assert not any(line.startswith("done") for line in lines)
    _require_kept(world, lines)
    engine.dispose()


@pytest.mark.parametrize("writer", ["loop", "thread"])
@pytest.mark.sqlite_only("looks at what the broker itself writes to its disk")
def test_a_disk_that_says_it_is_full_is_refused_until_there_is_room(
    sqlite_url: str, folder: Path, writer: str
) -> None:
    """Each write to the database's files fails with ENOSPC, 25 times: no file system is needed.

    strace counts by thread: where loop and thread both write, each finds no room at its own time.
    """
    _require("strace")
    engine = open_engine(sqlite_url)
    world = LogWorld(engine, folder)
    database = str(engine.url.database)
    paths = (Path(database), Path(f"{database}-wal"))
    lines = _run_without_room(world, sqlite_url, "40..64", *paths, writer=writer)
    refused = [at for at, line in enumerate(lines) if line == "refused"]
    assert refused
    assert any(line.startswith("written") for line in lines[: refused[0]])
    full = lines[refused[0] : refused[-1] + 1]
    if writer == "thread":
        assert full == ["refused"] * len(full), "nothing is answered while there is no room"
    assert lines[-1].startswith("done"), "it goes on by itself when there is room again"
    assert len(_indexes(lines)) == len(set(_indexes(lines))) == 60
    _require_kept(world, lines)
    engine.dispose()


@pytest.mark.sqlite_only("looks at what the broker itself writes to its disk")
def test_a_ratchet_without_room_stops_the_log(sqlite_url: str, folder: Path) -> None:
    """What was committed lies above what was signed: only a start settles that."""
    _require("strace")
    engine = open_engine(sqlite_url)
    world = LogWorld(engine, folder)
    lines = _run_without_room(world, sqlite_url, "20..24", folder / "ratchet")
    assert _indexes(lines)
    assert lines[len(_indexes(lines)) :] == ["stopped"]
    _require_kept(world, lines)
    engine.dispose()


def _run_without_room(
    world: LogWorld, url: str, when: str, *paths: Path, writer: str = "loop"
) -> list[str]:
    """Return the lines of a child in which these writes to these files find no room."""
    inject = f"inject=pwrite64:error=ENOSPC:when={when}"
    only = [word for path in paths for word in ("-P", str(path))]
    command = ["strace", "-f", "-qq", *only, "-e", "trace=pwrite64", "-e", inject]
    command += ["-o", os.devnull, *_command(world, url)]
    return _run(command, STEADY_COUNT="60", STEADY_WRITER=writer)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Yield a folder on a file system of 12 MiB: the WAL grows to four.

    Not every user may mount one; the test above needs none.
    """
    _require("mount")
    place = Path(tempfile.mkdtemp(prefix="datwat-small-"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        place.rmdir()
        pytest.skip("this user may not mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


@pytest.mark.sqlite_only("looks at what the broker itself writes to its disk")
def test_a_full_disk_refuses_and_goes_on_when_there_is_room_again(
    sqlite_template: Path, small_disk: Path, folder: Path
) -> None:
    shutil.copy(sqlite_template, small_disk / "broker.db")
    url = f"sqlite:///{small_disk / 'broker.db'}"
    engine = open_engine(url)
    world = LogWorld(engine, folder)
    world.store.close()
    engine.dispose()
    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(bytes(free - 120_000))
    child = subprocess.Popen(
        _command(world, url),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"STEADY_COUNT": "60"},
    )
    assert child.stdout is not None
    lines: list[str] = []
    watchdog = threading.Timer(90, child.kill)
    watchdog.start()
    with child.stdout:
        for line in child.stdout:
            lines.append(line.rstrip())
            if line.startswith("refused"):
                ballast.unlink(missing_ok=True)
    child.wait()
    watchdog.cancel()
    refused = lines.index("refused")
    assert any(line.startswith("written") for line in lines[:refused])
    assert lines[-1].startswith("done"), "it goes on by itself when there is room again"
    assert len(_indexes(lines)) == len(set(_indexes(lines))) == 60
    _require_kept(world, lines)
    engine.dispose()
