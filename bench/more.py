"""Processes that the tests' covenant does not start: more brokers of a database, a profiled one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from datwat.party.running import wait_until_ready
from demo.covenant import find_ports
from tests.parties import START, Party

_START_SECONDS = 90.0


@contextlib.contextmanager
def run_more(broker: Party, count: int) -> Iterator[None]:
    """Run the broker's other processes beside its first, so that there are `count`."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, port in enumerate(find_ports(count - 1), start=2):
            # A process listens so many ports above the setting as its number says.
            environment = {**broker.environment, "DATWAT_PORT": str(port - number + 1)}
            with broker.log.open("ab") as log:
                command = [sys.executable, "-c", START, broker.command, "serve"]
                command += ["--home", str(broker.home), "--process", str(number), "--with-parent"]
                processes.append(
                    subprocess.Popen(
                        command, env={**os.environ, **environment}, stdout=log, stderr=log
                    )
                )
        for number, process in enumerate(processes, start=2):
            wait_until_ready(
                broker.home,
                seconds=_START_SECONDS,
                is_alive=lambda process=process: process.poll() is None,  # type: ignore[misc]
                process=number,
            )
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=_START_SECONDS)


def begin_profiled(party: Party, out: Path) -> None:
    """Start a party whose threads can be profiled; what is found goes to `out`."""
    with party.log.open("ab") as log:
        party.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.profiled", str(out)),
                *(party.command, "serve", "--home", str(party.home), "--with-parent"),
            ],
            stdout=log,
            stderr=log,
        )
