"""Turns the profile of a run on and off in the broker, and prints where the time went."""

from __future__ import annotations

import os
import pstats
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

_ROWS = 40
_DONE = "done"
_SECONDS = 20.0


class Profiler:
    """Watches a broker that `bench.profiled` runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    @contextmanager
    def watch(self, pid: int, count: int) -> Iterator[None]:
        """Profile what the broker does meanwhile; print it in µs for each of `count` questions."""
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.1)
        yield
        os.kill(pid, signal.SIGUSR1)
        until = time.monotonic() + _SECONDS
        while not (self.folder / _DONE).exists() and time.monotonic() < until:
            time.sleep(0.05)
        for path in sorted(self.folder.glob("*.pstats")):
            print_profile(path, count)


def print_profile(path: Path, count: int) -> None:
    """Print the functions of a profile that took most, each by itself and with what it called."""
    stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    table = Table(title=f"{path.stem}: µs per question, under the profiler")
    for name in ("own", "with callees", "calls"):
        table.add_column(name, justify="right")
    table.add_column("function")
    for key in ("own", "cumulative"):
        place = 2 if key == "own" else 3
        ordered = sorted(stats.items(), key=lambda item: -item[1][place])[:_ROWS]
        for (file, line, name), (_, calls, own, cumulative, _) in ordered:
            short = "/".join(file.split("/")[-3:])
            table.add_row(
                f"{own * 1e6 / count:.1f}",
                f"{cumulative * 1e6 / count:.1f}",
                f"{calls / count:.1f}",
                f"{short}:{line} {name}",
            )
        table.add_section()
    Console(width=140).print(table)
