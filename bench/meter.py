"""What a process used: CPU time and memory from /proc, and how long a sync of this disk takes.

CPU time is what the kernel counted for all threads of a process, user and system, so it stays true
when the load generator wants the same cores. Linux only (proc(5)).
"""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat after the name in brackets: user and system time; with ended children.
_OWN, _WHOLE = slice(11, 13), slice(11, 15)
_PPID = 1
_SYNCS = 200
_PAGE = 4_096


@dataclass
class Usage:
    """CPU seconds by name of process, and the seconds that passed."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)

    def per(self, name: str, count: int) -> float:
        """Return milliseconds of CPU of a process for each of `count` units of work."""
        return self.cpu[name] * 1_000 / max(count, 1)


@dataclass(frozen=True)
class Group:
    """Processes that are counted as one; `with_children` adds all that they started.

    A child that ended meanwhile counts too, as soon as its parent took note of it: a database
    server starts and ends a process for each connection.
    """

    pids: tuple[int, ...]
    with_children: bool = False


@contextmanager
def measure(pids: Mapping[str, int | Group]) -> Iterator[Usage]:
    """Fill a Usage with what these processes, and `load` (this one), used meanwhile."""
    usage = Usage()
    before = {name: read_cpu(pid) for name, pid in pids.items()}
    own, began = time.process_time(), time.perf_counter()
    yield usage
    usage.seconds = time.perf_counter() - began
    usage.cpu = {name: find_cpu(pid) - before[name] for name, pid in pids.items()}
    usage.cpu["load"] = time.process_time() - own


def read_cpu(pid: int | Group) -> float:
    """Return the CPU seconds that a process or a group used so far, its threads together."""
    if isinstance(pid, int):
        return _read_ticks(pid, _OWN) / _TICKS
    if not pid.with_children:
        return sum(map(read_cpu, pid.pids))
    ticks = sum(_read_ticks(one, _WHOLE) for one in pid.pids)
    for child in list_descendants(pid.pids):
        # What ended since is in its parent's own figure, as soon as the parent took note of it.
        with suppress(OSError):
            ticks += _read_ticks(child, _WHOLE)
    return ticks / _TICKS


def find_cpu(pid: int | Group) -> float:
    """Return the CPU seconds of a process or group, or no number (nan) where it ended meanwhile."""
    try:
        return read_cpu(pid)
    except OSError:
        return math.nan


def list_descendants(pids: Sequence[int]) -> list[int]:
    """Return all living processes that these started, and those that they started in turn."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            number = int(entry.name)
            children.setdefault(int(_read_stat(number)[_PPID]), []).append(number)
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        waiting += (started := children.get(waiting.pop(), []))
        found += started
    return found


def count_files(pid: int) -> int:
    """Return how many file descriptors a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def read_memory(pid: int | Group) -> float:
    """Return the resident memory of a process, or of a group without its children, in MiB."""
    if isinstance(pid, Group):
        return sum(map(read_memory, pid.pids))
    return _read_mebibytes(pid, "VmRSS")


def read_shared(pid: int) -> float:
    """Return the memory in MiB that a process has mapped so that others could share it."""
    return _read_mebibytes(pid, "RssShmem")


def read_private(pid: int | Group) -> float:
    """Return the resident memory in MiB without that; of a group with the children it counts."""
    if isinstance(pid, int):
        return read_memory(pid) - read_shared(pid)
    held = sum(map(read_private, pid.pids))
    for child in list_descendants(pid.pids) if pid.with_children else ():
        with suppress(OSError):  # it ended meanwhile
            held += read_private(child)
    return held


def find_children(pids: Sequence[int], name: str) -> list[int]:
    """Return the children of these that run the program `name`; raise LookupError for none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            number = int(entry.name)
            is_child = int(_read_stat(number)[_PPID]) in pids
            if is_child and (entry / "comm").read_text() == f"{name}\n":
                found.append(number)
    if not found:
        message = f"no child process {name}"
        raise LookupError(message)
    return sorted(found)


def measure_sync(folder: Path) -> float:
    """Return the median milliseconds of writing a page and syncing it, in this folder."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        descriptor = file.fileno()
        for _ in range(_SYNCS):
            began = time.perf_counter()
            os.pwrite(descriptor, bytes(_PAGE), 0)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1_000


def _read_mebibytes(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1_024
    return 0.0  # it has ended, and its parent did not take note of it yet


def _read_ticks(pid: int, fields: slice) -> int:
    return sum(map(int, _read_stat(pid)[fields]))


def _read_stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
