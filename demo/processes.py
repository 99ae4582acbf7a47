"""The demo's processes: each in a group of its own, all gone at the end, however the end comes.

Rules: a child dies with this process (PR_SET_PDEATHSIG), so that even SIGKILL leaves nothing; a
group is ended gently first, then not; what a child prints goes to a file and never to the screen.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from datwat.party.errors import PartyError
from datwat.party.running import NotRunningError, wait_until_ready

DATWAT = (sys.executable, "-c", "from datwat.cli import main; main()")
_START_SECONDS = 240.0
_STOP_SECONDS = 8.0
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_LAST_LINES = 4
_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
# Nine processes start on this machine at once: what is shown is what OPA answers, not how fast.
_ENVIRONMENT = {
    "DATWAT_LOG_LEVEL": "warning",
    "DATWAT_OPA_DEADLINE_MS": "2000",
    "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
}
_libc = ctypes.CDLL(None)


class ChildFailedError(PartyError):
    """A process of the demo did not start."""

    code = "demo_process_failed"
    default_detail = "A process of the demo did not start."


class ChildEndedError(PartyError):
    """A process of the demo ended by itself while the covenant was kept running."""

    code = "demo_process_ended"
    default_detail = "A process of the demo ended by itself."


@dataclass
class Child:
    """One process that was started here."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """Starts and ends processes; use it as a context manager, in the main thread."""

    def __init__(self, folder: Path, launcher: Sequence[str] = ()) -> None:
        """Keep the folder for what the processes print.

        `launcher` runs a command of `datwat`; none: as people do.
        """
        self._folder = folder
        self._launcher = tuple(launcher)
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        death_signal: signal.Signals = signal.SIGTERM,
        environment: dict[str, str] | None = None,
        **user: Any,  # noqa: ANN401 - of subprocess
    ) -> Child:
        """Start a process in a group of its own; it may not be ready yet."""
        log = self._folder / f"{name}.log"
        parent = os.getpid()
        with log.open("ab") as out, _signals_held() as mask:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/" if user else None,
                env={**os.environ, **(environment or {})},
                process_group=0,
                preexec_fn=lambda: _prepare_child(parent, death_signal, mask),  # noqa: PLW1509 - one thread
                **user,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def start_party(self, command: str, home: Path, process: int = 1) -> Child:
        """Start a party's `serve`; `process` is which one of several of one home."""
        line = [*(self._launcher or DATWAT), command, "serve", "--home", str(home)]
        name = home.name if process == 1 else f"{home.name}-{process}"
        which = [] if process == 1 else ["--process", str(process)]
        return self.start(name, [*line, *which], environment=_ENVIRONMENT)

    def await_party(self, child: Child, home: Path, process: int = 1) -> None:
        """Wait until a party listens; raise ChildFailedError with what it said last."""
        try:
            wait_until_ready(
                home,
                seconds=_START_SECONDS,
                is_alive=lambda: child.process.poll() is None,
                process=process,
            )
        except NotRunningError:
            raise ChildFailedError(_describe(child)) from None

    def await_ready(self, child: Child, is_ready: Callable[[], bool]) -> None:
        """Wait until `is_ready`; raise ChildFailedError with what the process said last."""
        until = time.monotonic() + _START_SECONDS
        while not is_ready():
            if child.process.poll() is not None or time.monotonic() > until:
                raise ChildFailedError(_describe(child))
            time.sleep(_POLL_SECONDS)

    def find_ended(self) -> Child | None:
        """Return a process that ended by itself, if one did."""
        return next((one for one in self.children if one.process.poll() is not None), None)

    def close(self) -> None:
        """End every process and its group, the last started first."""
        children, self.children = self.children[::-1], []
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(0.05, until - time.monotonic()))
            # What the process itself started is in its group, and is ended with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


def keep_log(child: Child) -> Path:
    """Copy what a process printed to a file outside the demo's folder, and return where it is."""
    descriptor, name = tempfile.mkstemp(prefix=f"datwat-{child.name}-", suffix=".log")
    with os.fdopen(descriptor, "wb") as file:
        file.write(child.log.read_bytes())
    return Path(name)


@contextlib.contextmanager
def _signals_held() -> Iterator[set[int]]:
    """Hold back the signals that end this process, and yield the mask as it was.

    An exception that a handler raises inside a fork would be swallowed, and the end with it.
    """
    mask: set[int] = {*signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)}
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _prepare_child(parent: int, number: signal.Signals, mask: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def _describe(child: Child) -> str:
    try:
        lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    said = " ".join(lines[-_LAST_LINES:]) or "it said nothing"
    return f"{child.name} did not start or ended: {said[:600]}"
