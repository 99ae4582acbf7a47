"""Pages whose commands are executed: a running demo, the blocks of a page, and what they print."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
MARK = "=== the next block of the page ==="


def read_blocks(text: str) -> list[tuple[str, str | None]]:
    """Return each block of commands, with the output that is shown below it."""
    return [(found[1], found[2]) for found in BLOCK.finditer(text)]


def matches(shown: str, printed: str) -> bool:
    """Return whether this was printed; `…` stands for what differs each time, within a line."""
    pattern = ".+".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip()) is not None


def _read_environment() -> dict[str, str]:
    """Return the environment without the folder of a covenant that other tests keep running.

    That one is private, and PostgreSQL's own user could not reach what the demo puts into it.
    """
    return {name: value for name, value in os.environ.items() if name != "TMPDIR"}


@contextlib.contextmanager
def running_demo(*cases: int) -> Iterator[dict[str, str]]:
    """Start the demo with these cases, and yield what its last line tells a reader to paste."""
    command = [sys.executable, "-m", "tests.docs.quick_demo", "demo", "--keep"]
    command += [word for case in cases for word in ("--case", str(case))]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**_read_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.strip().startswith("export COVENANT="):
                words = shlex.split(line)[1:]
                yield dict(word.split("=", 1) for word in words)
                break
        else:
            pytest.fail("".join(said)[-3_000:])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def run_blocks(commands: list[str], folder: Path, places: dict[str, str]) -> list[str]:
    """Run all blocks in one shell and return what each printed."""
    script = f"\necho '{MARK}'\n".join(["set -euo pipefail", *commands])
    environment = {**os.environ, **places, "TMPDIR": str(folder), "COLUMNS": "100"}
    process = subprocess.Popen(
        ["bash"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(script, timeout=300)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)  # what a failing block leaves behind
    assert process.returncode == 0, printed
    return printed.split(f"{MARK}\n")[1:]


def require_shown(text: str, folder: Path, places: dict[str, str]) -> int:
    """Execute every block of a page, which must print what is shown; return how many there are."""
    blocks = read_blocks(text)
    printed = run_blocks([commands for commands, _ in blocks], folder, places)
    for (commands, shown), said in zip(blocks, printed, strict=True):
        assert matches(shown or "", said), f"{commands}\nprinted\n{said}\nand not\n{shown}"
    return len(blocks)
