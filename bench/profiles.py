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
_CALLS, _OWN, _CUMULATIVE = 1, 2, 3
_ROOT = Path(__file__).resolve().parents[1]
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
    """Print what took most: functions by themselves, then our own with all that they called."""
    stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    whole = sum(row[_OWN] for row in stats.values()) * 1e6 / count
    table = Table(title=f"{path.stem}: {whole:,.0f} µs per question under the profiler")
    for name in ("own", "with callees", "calls"):
        table.add_column(name, justify="right")
    table.add_column("function")
    ours = {key: row for key, row in stats.items() if _is_ours(key[0])}
    for rows, column in ((stats, _OWN), (ours, _CUMULATIVE)):
        for key in sorted(rows, key=lambda key: -rows[key][column])[:_ROWS]:
            file, line, name = key
            table.add_row(
                f"{rows[key][_OWN] * 1e6 / count:.1f}",
                f"{rows[key][_CUMULATIVE] * 1e6 / count:.1f}",
                f"{rows[key][_CALLS] / count:.1f}",
                f"{'/'.join(file.split('/')[-3:])}:{line} {name}",
            )
        table.add_section()
    Console(width=140).print(table)


def _is_ours(file: str) -> bool:
    return file.startswith(str(_ROOT)) and "site-packages" not in file
