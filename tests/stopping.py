"""A process that stands still, as a machine that swaps or a debugger leaves it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_SECONDS = 10.0


def stop_process(pid: int) -> None:
    """Stop a process and wait until each of its threads stands: on a busy machine one goes on."""
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + _SECONDS
    while not all(_is_stopped(one) for one in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < until, "it did not stop"
        time.sleep(0.005)


def _is_stopped(thread: Path) -> bool:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
