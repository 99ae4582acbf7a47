"""Which processes of a home run, and where they listen; who needs a party stopped, holds it so.

Rules: one process per home folder and number, and none while a command holds the home: by locks and
not by pids, as the kernel lets go of them however a process ends. Each process shares the home's
lock; who holds the party stopped has it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from datwat.party.errors import PartyError
from datwat.party.files import replace_file
from datwat.party.settings import make_private_folder

_POLL_SECONDS = 0.05
_FOLDER = "run"
_LOCK = "lock"
_FILE = "serve.json"
_HOME_LOCK = "process.lock"
# Who looks whether a process runs shares its lock for a moment, which is no reason not to start.
_TRIES = 20
_TRY_SECONDS = 0.01


class AlreadyRunningError(PartyError):
    """A process serves from this home already."""

    code = "already_running"
    default_detail = (
        "This party is already running from this home folder, or another command needs it stopped: "
        "stop it, or wait for that command."
    )


class HeldStoppedError(PartyError):
    """A command that needs the party stopped is at work."""

    code = "held_stopped"
    default_detail = "A command needs this party stopped: start it once that command has ended."


class NotRunningError(PartyError):
    """No process serves from this home."""

    code = "not_running"
    default_detail = "This party is not running: start it with its `serve` command."


class Running(NamedTuple):
    """What the run file says: the process, and the port of each listener by its name."""

    pid: int
    ports: dict[str, int]


def find_running(home: Path, process: int = 1) -> Running | None:
    """Return where a process of this home listens, or None if it is not (yet) running."""
    folder = _name_folder(home, process)
    try:
        with (folder / _LOCK).open("rb") as lock:
            if _try_lock(lock, fcntl.LOCK_SH):
                return None
        held = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Running(held["pid"], held["ports"])
    except (OSError, ValueError, KeyError):
        return None


def require_running(home: Path, process: int | None = None) -> Running:
    """Return where a process of this home listens; raise NotRunningError.

    None: the first one, or where that does not run, the next.
    """
    numbers = list_processes(home) if process is None else [process]
    for number in numbers:
        running = find_running(home, number)
        if running is not None:
            return running
    raise NotRunningError


def list_processes(home: Path) -> list[int]:
    """Return the numbers of the processes that ever served from this home, the first one first."""
    with contextlib.suppress(OSError):
        names = [path.name for path in (home / _FOLDER).iterdir() if path.is_dir()]
        return sorted({1, *(int(name) for name in names if name.isdecimal())})
    return [1]


def has_served(home: Path) -> bool:
    """Return whether a process ever served from this home."""
    return (home / _FOLDER).is_dir()


def wait_until_ready(
    home: Path,
    *,
    seconds: float = 20.0,
    is_alive: Callable[[], bool] | None = None,
    process: int = 1,
) -> Running:
    """Return as soon as the party listens; raise NotRunningError when that takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        running = find_running(home, process)
        if running is not None:
            return running
        if is_alive is not None and not is_alive():
            break
        time.sleep(_POLL_SECONDS)
    raise NotRunningError


@contextmanager
def holding_process(home: Path, process: int) -> Iterator[Path]:
    """Hold the lock of one process; give its run folder.

    Raises AlreadyRunningError, HeldStoppedError.
    """
    folder = _name_folder(home, process)
    make_private_folder(home)
    with (home / _HOME_LOCK).open("wb") as shared:
        if not _wait_for(shared, fcntl.LOCK_SH):
            raise HeldStoppedError  # before `run/` is made, by which a home is known to have served
        make_private_folder(folder.parent)
        make_private_folder(folder)
        with (folder / _LOCK).open("wb") as lock:
            if not _wait_for(lock, fcntl.LOCK_EX):
                raise AlreadyRunningError
            (folder / _FILE).unlink(missing_ok=True)
            yield folder


@contextmanager
def holding_stopped(home: Path) -> Iterator[None]:
    """See that no process serves from this home, whatever its number, until the block ends.

    Raises AlreadyRunningError where one does, or another command holds it stopped.
    """
    with (home / _HOME_LOCK).open("wb") as lock:
        if not _wait_for(lock, fcntl.LOCK_EX):
            raise AlreadyRunningError
        # One of an older version does not share the home's lock.
        if any(find_running(home, number) for number in list_processes(home)):
            raise AlreadyRunningError
        yield


def write_run_file(folder: Path, ports: dict[str, int]) -> None:
    """Say in a run folder that this process listens, and where."""
    content = json.dumps({"pid": os.getpid(), "ports": ports})
    replace_file(folder / _FILE, content.encode())


def _name_folder(home: Path, process: int) -> Path:
    """Return where a process of this home says that it runs: one of several has its own."""
    return home / _FOLDER if process == 1 else home / _FOLDER / str(process)


def _wait_for(lock: IO[bytes], kind: int) -> bool:
    """Tell whether a lock could be had, now or a moment later."""
    for _ in range(_TRIES):
        if _try_lock(lock, kind):
            return True
        time.sleep(_TRY_SECONDS)
    return False


def _try_lock(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock.fileno(), kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
