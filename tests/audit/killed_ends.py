"""Ends contents in processes that are killed (SIGKILL) between any two of their statements.

For tests only. Arguments: a folder, the URL of a PostgreSQL server (empty: SQLite files), how many
places to die at (0: all). Prints, as JSON, how many there were and what was found wrong. Each run
begins with the same database: four persons with a content that is due and one that stays, which one
of them wished to be erased, and two officers do.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event, select

from broker.adapters.database import migrate, open_engine
from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.stores import build_registers
from broker.audit.ended import EndingLog
from broker.audit.ends import Ends
from broker.audit.erasing import Eraser
from broker.audit.forgetting import forget_ended
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.log import Log, create_log
from broker.audit.payloads import Detail, Event, Organisation, Record, build_payload
from broker.audit.records import ChainRef, EntryDraft, Job, SubjectKeys
from broker.audit.sealing import Sealing
from broker.exchange.ends_keeping import EndsKeeping
from broker.exchange.erasure import Erasures
from broker.exchange.looking import Look
from broker.exchange.rooms import Rooms
from datwat.party.database import truncate_journal
from datwat.party.ratchet import Ratchet
from datwat.protocol.acts import Professional
from datwat.protocol.checkpoint import CheckpointSigner
from tests.audit.crash_child import AT, ORIGIN
from tests.conftest import build_database_url, execute_on_server

_ENTRIES = table_of(LogEntry)
_PERSONS = 4
_NOT_USED = ("proofs", "ledger", "veil", "trust", "acts", "write_known")
_SOON, _LATER = AT + timedelta(days=1), AT + timedelta(days=900)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_BROKER = Organisation(id="00000099000000003000:broker", name="Broker")
_LOOK = Look(
    by=Professional(id="a", role="officer"),
    second=Professional(id="b", role="manager"),
    reason="The resident wished so.",
)
# What can be read of the person who wished, oldest first: nothing done, one of two, both.
_WISHED = (
    ["end", "open_occasion", "wish"],
    ["end", "-", "wish", "erased"],
    ["-", "-", "wish", "erased", "erased"],
)
_OTHERS = (["end", "open_occasion"], ["-", "open_occasion", "erased"])


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

    def wrap(self, owner: object, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def later(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the real one
            self.step()
            return real(*arguments, **named)

        setattr(owner, name, later)

    def wrap_all(self) -> None:
        """Make a step of each write and sync of a file, and of what goes to a server."""
        for name in ("pwrite", "fdatasync", "fsync"):
            self.wrap(os, name)
        for name in ("execute", "executemany"):
            self.wrap(psycopg.Cursor, name)
        self.wrap(psycopg.Connection, "commit")


class Process:
    """One opened log with what ends its contents."""

    def __init__(self, folder: Path, url: str, killer: Killer) -> None:
        self.engine = open_engine(url)

        @event.listens_for(self.engine, "connect")
        def trace(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
            if hasattr(raw, "set_trace_callback"):
                raw.set_trace_callback(lambda _statement: killer.step())

        self.store = SqlLogStore(self.engine)
        self.kek = FileKek.open(folder / "kek")
        self.sealing = Sealing(self.kek, self.store)
        self.ratchet = Ratchet.open(folder / "ratchet")
        self.log = Log(self.store, self.ratchet, CheckpointSigner(ORIGIN, LOG_KEY))
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
                party=_BROKER,
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
            forget=lambda: forget_ended(self.ratchet, self.kek),
        )

    def build_erasures(self) -> Erasures:
        """Return what answers wishes, over the rooms that it works with and no others."""
        log = EndingLog(self.log, self.ratchet, self.kek)
        rooms = Rooms(
            registers=build_registers(bytes(32)),
            engine=cast("Any", Retaining()),
            sealing=self.sealing,
            log=log,
            reading=self.store.reading,
            clock=lambda: AT,
            **dict.fromkeys(_NOT_USED, cast("Any", None)),
        )
        return Erasures(
            rooms,
            self.store,
            Eraser(SqlEnds(), self.kek, lambda _conn, _mark: False),
            party=_BROKER,
            find_purpose=lambda _name, _digest: None,
            on_erased=lambda _count: None,
        )

    async def write(self) -> None:
        for _ in range(_PERSONS):
            keys = self.sealing.mint_subject(AT)
            await self.append(keys, ("end", _SOON), ("open_occasion", _LATER))
        await self.append(None, ("wish", _LATER), erases=_PERSONS * 2 - 1)

    async def append(
        self, keys: SubjectKeys | None, *events: tuple[Event, datetime], erases: int | None = None
    ) -> None:
        """Write entries, of the last person where no keys are given."""
        new = (keys,) if keys else ()
        if keys is None:
            with self.store.reading() as conn:
                row = self.store.find_entry(conn, self.log.size - 1)
                assert row is not None
                assert row.subject_id is not None
                keys = self.sealing.fetch_keys(conn, [row.subject_id], AT)[row.subject_id]
        entries = [
            self.sealing.prepare_entry(
                keys,
                EntryDraft(
                    chain=ChainRef(keys.subject_id, "open"),
                    core=b"core",
                    payload=build_payload(build_record(event, erases)),
                    at=AT,
                    retention_until=until,
                ),
            )
            for event, until in events
        ]
        await self.log.append(Job(lambda _: entries, keys=new))

    async def erase(self) -> None:
        """Answer the wish, which is the last entry that was written at first."""
        await self.build_erasures().answer(_PERSONS * 2, _LOOK)

    def list_told(self) -> list[list[str]]:
        """Return, per person, what can be read of their chain, oldest first."""
        with self.store.reading() as conn:
            query = select(_ENTRIES.c.subject_id).order_by(_ENTRIES.c.idx)
            subjects = dict.fromkeys(bytes(one) for one in conn.execute(query).scalars())
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


class Retaining:
    """What the broker's own entries are kept for, without a policy engine."""

    retention = timedelta(days=900)


def build_record(event: Event, erases: int | None) -> Record:
    return Record(
        v=1,
        event=event,
        at=AT,
        rid=os.urandom(16),
        requester=_BROKER,
        notice="now",
        detail=Detail(erases=erases),
    )


class Databases:
    """Makes copies of one database: files of SQLite, or databases of a PostgreSQL server."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._template = ""

    def create(self, folder: Path) -> str:
        """Return the URL of an empty one, of which others will be copies."""
        if not self._server:
            return f"sqlite:///{folder / 'db'}"
        self._template = self._add("template1")
        return build_database_url(self._server, self._template)

    def copy(self, folder: Path) -> str:
        """Return the URL of a copy; that of SQLite lies in `folder` already."""
        if not self._server:
            return f"sqlite:///{folder / 'db'}"
        return build_database_url(self._server, self._add(self._template))

    def drop(self, url: str) -> None:
        if self._server:
            name = url.rpartition("/")[2].partition("?")[0]
            execute_on_server(self._server, f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        if self._template:
            self.drop(self._template)

    def _add(self, template: str) -> str:
        name = f"killed_{uuid.uuid4().hex}"
        execute_on_server(self._server, f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


def _make(folder: Path, url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(FileKek.create(folder / "kek"), store), ORIGIN)
    store.close()
    engine.dispose()
    process = Process(folder, url, Killer(0))
    asyncio.run(process.write())
    with closing(process):
        truncate_journal(process.engine)


async def _do_all(process: Process) -> None:
    await process.erase()
    await process.build_keeping().run(_SOON, 5.0)


def _end(folder: Path, url: str, at: int) -> None:
    killer = Killer(at)
    killer.wrap_all()
    process = Process(folder, url, killer)
    killer.armed = True
    asyncio.run(_do_all(process))
    killer.armed = False
    (folder / "count").write_text(str(killer.count))
    process.close()


def _check(folder: Path, url: str) -> None:
    """End with an error unless all of an end is there or nothing, and the rest follows."""
    process = Process(folder, url, Killer(0))
    *others, wished = process.list_told()
    assert wished in _WISHED, wished
    assert all(told in _OTHERS for told in others), others
    asyncio.run(_do_all(process))
    assert process.list_told() == [*[_OTHERS[-1]] * (_PERSONS - 1), _WISHED[-1]]
    process.close()


def fork(work: Callable[[], None]) -> int:
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


def _try(databases: Databases, template: Path, run: Path, at: int) -> tuple[int, int]:
    """Return how a run that is killed at a place ended, and how many places there were."""
    shutil.copytree(template, run)
    url = databases.copy(run)
    ended = fork(lambda: _end(run, url, at))
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
        wrong += [at] if ended != -signal.SIGKILL else []
    databases.close()
    sys.stdout.write(json.dumps({"places": count, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
