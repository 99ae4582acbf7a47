"""Ends contents in processes that are killed (SIGKILL) between any two of their statements.

For tests only. Prints, as JSON, how many places there were to die at and what was found wrong. Each
run begins with the same database: four persons with a content that is due and one that stays.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from broker.adapters.database import migrate, open_engine
from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.ended import EndingLog
from broker.audit.ends import Ends
from broker.audit.erasing import Eraser
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.log import Log, create_log
from broker.audit.payloads import Organisation
from broker.audit.records import ChainRef, EntryDraft, Job
from broker.audit.sealing import Sealing
from broker.exchange.ends_keeping import EndsKeeping
from datwat.party.database import truncate_journal
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner
from tests.audit.crash_child import AT, ORIGIN

_PERSONS = 4
_SOON, _LATER = AT + timedelta(days=1), AT + timedelta(days=900)
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_LIMIT = 400


class Killer:
    """Counts steps, and ends this process at one of them."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.count = 0
        self.armed = False

    def step(self) -> None:
        if not self.armed:
            return
        self.count += 1
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, name: str) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def later(*arguments: Any) -> Any:  # noqa: ANN401 - as the real one
            self.step()
            return real(*arguments)

        setattr(os, name, later)


class Process:
    """One opened log with what ends its contents."""

    def __init__(self, folder: Path, killer: Killer) -> None:
        self.engine = open_engine(f"sqlite:///{folder / 'db'}")

        @event.listens_for(self.engine, "connect")
        def trace(raw: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection
            raw.set_trace_callback(lambda _statement: killer.step())

        self.store = SqlLogStore(self.engine)
        self.kek = FileKek.open(folder / "kek")
        self.sealing = Sealing(self.kek, self.store)
        self.ratchet = Ratchet.open(folder / "ratchet")
        self.log = Log(self.store, self.ratchet, CheckpointSigner(ORIGIN, _KEY))
        self.log.start()

    def build_keeping(self) -> EndsKeeping:
        ends = SqlEnds()
        return EndsKeeping(
            ends=Ends(
                store=self.store,
                ends=ends,
                eraser=Eraser(ends, self.kek, lambda _conn, _mark: False),
                sealing=self.sealing,
                log=self.log,
                party=Organisation(id="00000099000000003000:broker", name="Broker"),
                find_retention=lambda: timedelta(days=900),
            ),
            generations=KeyKeeper(
                self.store,
                ends,
                self.kek,
                self.log,
                KeyLives(timedelta(days=36_500), timedelta(days=36_501)),
            ),
            record=EndingLog(self.log, self.ratchet, self.kek).record,
            tidy=lambda: truncate_journal(self.engine),
        )

    async def write(self) -> None:
        for _ in range(_PERSONS):
            keys = self.sealing.mint_subject(AT)
            entries = [
                self.sealing.prepare_entry(
                    keys,
                    EntryDraft(
                        chain=ChainRef(keys.subject_id, "open"),
                        core=b"core",
                        payload=json.dumps({"event": name}).encode(),
                        at=AT,
                        retention_until=until,
                    ),
                )
                for name, until in (("due", _SOON), ("stays", _LATER))
            ]
            await self.log.append(Job(lambda _, entries=entries: entries, keys=(keys,)))  # type: ignore[misc]

    def list_told(self) -> list[list[str]]:
        """Return, per person, what can be read of their chain, oldest first."""
        with self.store.reading() as conn:
            subjects = conn.exec_driver_sql("SELECT subject_id FROM subjects").scalars().all()
            found = []
            for subject_id in subjects:
                rows = self.store.fetch_entries_of(conn, subject_id, ["open"], limit=9, before=None)
                contents = self.sealing.open_contents(conn, subject_id, rows)
                told = [json.loads(one.payload)["event"] if one else "-" for one in contents]
                found.append(told[::-1])
        return found

    def close(self) -> None:
        self.log.stop()
        self.store.close()
        self.ratchet.close()
        self.engine.dispose()


def _make(folder: Path) -> None:
    folder.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{folder / 'db'}")
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(FileKek.create(folder / "kek"), store), ORIGIN)
    store.close()
    engine.dispose()
    process = Process(folder, Killer(0))
    asyncio.run(process.write())
    with closing(process):
        truncate_journal(process.engine)


def _end(folder: Path, at: int) -> None:
    killer = Killer(at)
    for name in ("pwrite", "fdatasync", "fsync"):
        killer.wrap(name)
    process = Process(folder, killer)
    killer.armed = True
    asyncio.run(process.build_keeping().run(_SOON, 5.0))
    killer.armed = False
    process.close()


def _check(folder: Path) -> None:
    """End with an error unless all of an end is there or nothing, and the rest follows."""
    process = Process(folder, Killer(0))
    allowed = (["due", "stays"], ["-", "stays", "erased"])
    assert all(told in allowed for told in process.list_told()), process.list_told()
    asyncio.run(process.build_keeping().run(_SOON, 5.0))
    assert process.list_told() == [allowed[1]] * _PERSONS, process.list_told()
    process.close()


def _fork(work: Callable[[], None]) -> int:
    """Return how a child process ended that did some work: 0, 1, or minus a signal."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the child ends here, whatever it was
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


def main(folder: Path) -> None:
    template, wrong = folder / "template", []
    if _fork(lambda: _make(template)):
        raise SystemExit(1)
    at = 0
    while at < _LIMIT:
        at += 1
        run = folder / str(at)
        shutil.copytree(template, run)
        ended = _fork(lambda run=run, at=at: _end(run, at))  # type: ignore[misc]
        if ended not in (0, -signal.SIGKILL) or _fork(lambda run=run: _check(run)):  # type: ignore[misc]
            wrong.append(at)
        shutil.rmtree(run)
        if ended == 0:
            break
    sys.stdout.write(json.dumps({"places": at - 1, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
