"""Turns a row key in processes that are killed (SIGKILL) between any two of their statements.

For tests only. Arguments: a folder, the URL of a PostgreSQL server (empty: SQLite files), how many
places to die at (0: all). Prints, as JSON, how many there were and what was found wrong. Each run
begins with the same database, and is followed by a process that finds everybody and goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from broker.adapters.database import migrate, open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.stores import build_registers
from broker.audit.log import Log, create_log
from broker.audit.records import Appendable, Job
from broker.audit.sealing import Sealing
from broker.exchange.row_turning import OVERLAP, SEEN_AFTER
from datwat.party.database import truncate_journal
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner
from tests.adapters.registers import NOW
from tests.adapters.test_registers_schema import fill
from tests.audit.crash_child import ORIGIN
from tests.audit.killed_ends import LOG_KEY, Databases, Killer, fork
from tests.keys.ring_world import (
    Person,
    add_person,
    build_turning,
    keep_all,
    make_row_file,
    read_numbers,
    require_found,
)

_PEOPLE = [Person(number, bytes((number,)) * 16, bytes((number + 50,)) * 16) for number in range(6)]
_WEEK = 8
_MOMENTS = (
    NOW + SEEN_AFTER,
    NOW + 2 * SEEN_AFTER,
    NOW + 3 * SEEN_AFTER + OVERLAP,
    NOW + _WEEK * 24 * OVERLAP,
)


class Process:
    """One opened log with the rows under the row key of a folder."""

    def __init__(self, folder: Path, url: str, killer: Killer) -> None:
        self.engine = open_engine(url)

        @event.listens_for(self.engine, "connect")
        def trace(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
            if hasattr(raw, "set_trace_callback"):
                raw.set_trace_callback(lambda _statement: killer.step())

        self.store = SqlLogStore(self.engine)
        self.ratchet = Ratchet.open(folder / "ratchet")
        self.log = Log(self.store, self.ratchet, CheckpointSigner(ORIGIN, LOG_KEY))
        self.log.start()
        self.file = RowKeyFile(folder / "secrets" / "row.key")
        self.registers = build_registers(self.file.keys)

    async def write(self) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            for person in _PEOPLE:
                add_person(conn, self.registers, person, code=False)
            fill(conn, self.registers)
            return []

        await self.log.append(Job(work))

    async def turn(self) -> None:
        """Begin, where nobody began before, and do all that is due until the old key is gone."""
        if self.file.keys.state.changed_at is None:
            self.file.start(NOW)
        turning = build_turning(self.file, self.log, self.store.reading)
        for moment in _MOMENTS:
            await keep_all(turning, moment)

    def require_whole(self) -> None:
        with self.store.reading() as conn:
            require_found(conn, self.registers, _PEOPLE)
            numbers = read_numbers(conn, self.file.keys)
        assert not any(closed for _, closed in numbers.values()), numbers

    def close(self) -> None:
        self.log.stop()
        self.store.close()
        self.ratchet.close()
        self.engine.dispose()


def _make(folder: Path, url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(FileKek.create(folder / "kek"), store), ORIGIN)
    store.close()
    engine.dispose()
    make_row_file(folder)
    process = Process(folder, url, Killer(0))
    asyncio.run(process.write())
    with closing(process):
        truncate_journal(process.engine)


def _turn(folder: Path, url: str, at: int) -> None:
    killer = Killer(at)
    killer.wrap_all()
    killer.wrap(os, "replace")
    process = Process(folder, url, killer)
    killer.armed = True
    asyncio.run(process.turn())
    killer.armed = False
    (folder / "count").write_text(str(killer.count))
    process.close()


def _check(folder: Path, url: str) -> None:
    """End with an error unless everybody is found after a restart, and at the end under one key."""
    process = Process(folder, url, Killer(0))
    process.require_whole()
    asyncio.run(process.turn())
    process.require_whole()
    assert list(process.file.keys.state.keys) == [2]
    process.close()


def _try(databases: Databases, template: Path, run: Path, at: int) -> tuple[int, int]:
    """Return how a run that is killed at a place ended, and how many places there were."""
    shutil.copytree(template, run)
    url = databases.copy(run)
    ended = fork(lambda: _turn(run, url, at))
    wrong = fork(lambda: _check(run, url))
    count = int((run / "count").read_text()) if ended == 0 else 0
    shutil.rmtree(run)
    databases.drop(url)
    return (ended if not wrong else 1), count


def main(folder: Path, server: str, places: int) -> None:
    template, databases = folder / "template", Databases(server)
    wrong: list[int] = []
    template.mkdir(parents=True)
    first = databases.create(template)
    if fork(lambda: _make(template, first)):
        raise SystemExit(1)
    ended, count = _try(databases, template, folder / "whole", 0)
    if ended:
        raise SystemExit(1)
    for at in range(1, count + 1, max(1, count // places) if places else 1):
        ended, _ = _try(databases, template, folder / str(at), at)
        # The last of them may not be reached again: a second process has a page or two less to do.
        wrong += [at] if ended not in {-signal.SIGKILL, 0} else []
    databases.close()
    sys.stdout.write(json.dumps({"places": count, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
