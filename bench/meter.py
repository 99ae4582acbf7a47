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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 11  # fields of /proc/<pid>/stat after the name in brackets
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


@contextmanager
def measure(pids: Mapping[str, int]) -> Iterator[Usage]:
    """Fill a Usage with what these processes, and `load` (this one), used meanwhile."""
    usage = Usage()
    before = {name: read_cpu(pid) for name, pid in pids.items()}
    own, began = time.process_time(), time.perf_counter()
    yield usage
    usage.seconds = time.perf_counter() - began
    usage.cpu = {name: find_cpu(pid) - before[name] for name, pid in pids.items()}
    usage.cpu["load"] = time.process_time() - own


def read_cpu(pid: int) -> float:
    """Return the CPU seconds that a process used so far, its threads together."""
    fields = _read_stat(pid)
    return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / _TICKS


def find_cpu(pid: int) -> float:
    """Return the CPU seconds of a process, or no number (nan) where it ended meanwhile."""
    try:
        return read_cpu(pid)
    except OSError:
        return math.nan


def read_memory(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1_024
    return 0.0


def find_child(pid: int, name: str) -> int:
    """Return the child of `pid` that runs the program `name`; raise LookupError."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            number = int(entry.name)
            if (
                int(_read_stat(number)[_PPID]) == pid
                and (entry / "comm").read_text() == f"{name}\n"
            ):
                return number
        except OSError:
            continue
    message = f"no child process {name}"
    raise LookupError(message)


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


def _read_stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
