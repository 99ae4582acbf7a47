"""Runs a `datwat` command with a profile of each thread's own CPU time, for `bench --profile`.

`python -m bench.profiled OUT COMMAND…`: SIGUSR1 begins the profile and, the second time, ends it.
The event loop and the thread of the log each leave `OUT/<name>.pstats`. Before and after, nothing
is slowed down; meanwhile profiling costs small functions as much again: read the shares, not the
times.
"""

from __future__ import annotations

import cProfile
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from broker.audit.signer import Signer
from broker.audit.writer import Writer
from datwat.cli import main

DONE = "done"
_watching = threading.Event()
_profiles = {name: cProfile.Profile(time.thread_time) for name in ("loop", "log")}


def _toggle(_number: int, _frame: FrameType | None) -> None:
    if not _watching.is_set():
        _watching.set()
        _profiles["loop"].enable()
        return
    _watching.clear()
    for name, profile in _profiles.items():
        profile.create_stats()
        profile.dump_stats(_out / f"{name}.pstats")
    (_out / DONE).touch()


def _follow(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stage of the log that profiles itself while it is watched."""

    def followed(*arguments: object) -> Any:  # noqa: ANN401 - whatever the stage returns
        if _watching.is_set():
            return _profiles[name].runcall(work, *arguments)
        return work(*arguments)

    return followed


if __name__ == "__main__":
    _out = Path(sys.argv[1])
    sys.argv = ["datwat", *sys.argv[2:]]
    Writer.write = _follow("log", Writer.write)  # type: ignore[method-assign]
    Signer.sign = _follow("log", Signer.sign)  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, _toggle)
    main()
