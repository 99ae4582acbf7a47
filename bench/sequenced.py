"""The log by itself, written by several processes at once: one PostgreSQL, one head, one ratchet.

Each process is one as `bench/appending.py` says, with clients of its own; the head's row puts them
in order, and the ratchet lies on a server of its own, as that of several brokers must.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.appending import KEK, SIGNING_KEY
from bench.appends import CLIENTS, ORIGIN, SLOW_SYNC
from bench.figures import Figure
from bench.meter import Group, measure, measure_sync
from bench.postgres import SETTINGS, require_means
from broker.adapters.database import migrate, open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import create_log
from broker.audit.sealing import Sealing
from datwat.party.key_files import write_key_file
from tests.postgres import own_server

PROCESSES = 4
_TARGET = 5_000
Worker = subprocess.Popen[str]


def measure_sequenced(folder: Path, count: int, processes: int = PROCESSES) -> list[Figure]:
    """Append about `count` entries; raise where a receipt does not hold, or an entry is missing.

    Raises MeansMissingError where this machine has no PostgreSQL.
    """
    require_means("postgresql", processes)
    folder.mkdir(parents=True)
    with own_server(*SETTINGS) as server, own_server() as ratchet:
        sync = measure_sync(server.home)
        _make_log(folder, server.url)
        command = [str(folder), server.url, ratchet.url, str(count // processes)]
        with _open_all(command, processes) as workers:
            pids = {
                "brokers": Group(tuple(worker.pid for worker in workers)),
                "databases": Group((server.pid, ratchet.pid), with_children=True),
            }
            with measure(pids) as usage:
                told = append_at_once(workers)
        size = _read_size(server.url)
    taken = [seconds for one in told for seconds in one["taken"]]
    if not taken or size != len(taken):
        message = f"{len(taken)} entries have their receipt, and the log has {size}"
        raise RuntimeError(message)
    spent = max(one["ended"] for one in told) - min(one["began"] for one in told)
    name = f"append → receipt, {processes} processes of {CLIENTS} clients on PostgreSQL"
    # As on SQLite a gate only where the disk is as quick as the target takes for granted; and where
    # each process has a core, and the servers one: on fewer it would measure their number.
    is_fit = sync <= SLOW_SYNC and (os.cpu_count() or 1) > processes
    rate, p50 = size / spent, statistics.median(taken) * 1_000
    return [
        Figure(name, "entries", rate, "/s", _TARGET, at_least=True, gate=is_fit),
        Figure(name, "p50", p50, "ms"),
        Figure(name, "CPU per entry, all brokers", usage.per("brokers", size), "ms"),
        Figure(name, "CPU per entry, database and ratchet", usage.per("databases", size), "ms"),
        Figure(name, "one sync of this disk", sync, "ms"),
    ]


def _make_log(folder: Path, url: str) -> None:
    """Make an empty log, and the keys that all its processes share."""
    key = Ed25519PrivateKey.generate()
    write_key_file(folder / SIGNING_KEY, key.private_bytes_raw())
    engine = open_engine(url)
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(FileKek.create(folder / KEK), store), ORIGIN)
    store.close()
    engine.dispose()


@contextmanager
def _open_all(arguments: Sequence[str], count: int) -> Iterator[list[Worker]]:
    """Yield so many processes, each with the log open; they end when the block does."""
    command = [sys.executable, "-m", "bench.appending", *arguments]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
                )
            )
            for _ in range(count)
        ]
        try:
            _await_ready(workers)
            yield workers
        except BaseException:
            for worker in workers:
                worker.kill()
            raise


def _await_ready(workers: Sequence[Worker]) -> None:
    for worker in workers:
        if _read_line(worker) != "ready\n":
            raise RuntimeError("a process could not open the log")


def append_at_once(workers: Sequence[Worker]) -> list[dict[str, Any]]:
    """Let all append at once; return what each tells when all are done."""
    for worker in workers:
        _say(worker, "go\n")
    told = [_read_line(worker) for worker in workers]
    if not all(told):
        raise RuntimeError("a process could not append")
    return [json.loads(line) for line in told]


def _say(worker: Worker, line: str) -> None:
    assert worker.stdin is not None  # noqa: S101 - it was opened with one
    worker.stdin.write(line)
    worker.stdin.flush()


def _read_line(worker: Worker) -> str:
    """Return the next line of a process; empty where it has ended."""
    assert worker.stdout is not None  # noqa: S101 - it was opened with one
    return worker.stdout.readline()


def _read_size(url: str) -> int:
    engine = open_engine(url)
    store = SqlLogStore(engine)
    with store.reading() as connection:
        head = store.find_head(connection)
    store.close()
    engine.dispose()
    return head.size if head is not None else 0
