"""Runs a `datwat` command with a profile of each thread's own CPU time, for `bench --profile`.

`python -m bench.profiled OUT COMMAND…`: SIGUSR1 begins and, the second time, ends the profile of
the event loop; the threads of the log are followed from their start, as they sleep until there is
work. Each leaves `OUT/<thread>.pstats`. Profiling itself costs small functions as much again: read
the shares, not the times.
"""

from __future__ import annotations

import cProfile
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from datwat.cli import main

DONE = "done"
_LOOP = "loop"
_begin = threading.Thread.start
_profiles: dict[str, cProfile.Profile] = {}


def _toggle(_number: int, _frame: FrameType | None) -> None:
    if _LOOP not in _profiles:
        for profile in _profiles.values():
            profile.clear()
        _profiles[_LOOP] = cProfile.Profile(time.thread_time)
        _profiles[_LOOP].enable()
        return
    for name, profile in _profiles.items():
        profile.create_stats()
        profile.dump_stats(_out / f"{name}.pstats")
    (_out / DONE).touch()


def _start(thread: threading.Thread) -> None:
    """Take the place of `Thread.start`, to follow the threads of the log."""
    run = thread.run

    def profiled() -> None:
        _profiles[thread.name] = cProfile.Profile(time.thread_time)
        _profiles[thread.name].runcall(run)

    if thread.name.startswith("log-"):
        thread.run = profiled  # type: ignore[method-assign]
    _begin(thread)


if __name__ == "__main__":
    _out = Path(sys.argv[1])
    sys.argv = ["datwat", *sys.argv[2:]]
    threading.Thread.start = _start  # type: ignore[method-assign,assignment]
    signal.signal(signal.SIGUSR1, _toggle)
    main()
