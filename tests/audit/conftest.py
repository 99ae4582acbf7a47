"""A running log on each kind of database, with its sealing and its keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import Log, create_log
from broker.audit.records import ChainRef, EntryDraft, Job, PreparedEntry, SubjectKeys
from broker.audit.sealing import Sealing
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.entry import Audience

ORIGIN = "broker.test/log/1"
AT = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)


class LogWorld:
    """Everything that one broker has around its log; `start` and `stop` as a process would."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.store = SqlLogStore(engine)
        self.kek = FileKek.create(folder / "kek")
        self.sealing = Sealing(self.kek, self.store)
        self.key = Ed25519PrivateKey.generate()
        self.checkpoints = CheckpointSigner(ORIGIN, self.key)
        self.failures: list[BaseException] = []
        create_log(self.store, self.sealing, ORIGIN)

    def start(self) -> Log:
        """Start the log as the process would after a restart."""
        self.ratchet = Ratchet.open(self.folder / "ratchet")
        self.log = Log(self.store, self.ratchet, self.checkpoints, self.failures.append)
        try:
            self.log.start()
        except BaseException:
            self.ratchet.close()
            raise
        return self.log

    def stop(self) -> None:
        """Stop the log and let go of everything but the files."""
        self.log.stop()
        self.ratchet.close()
        self.store.close()

    def prepare(
        self,
        keys: SubjectKeys,
        audience: Audience = "open",
        core: bytes = b"core",
        payload: bytes = b"payload",
        replay_input: bytes | None = None,
    ) -> PreparedEntry:
        """Seal a draft about a subject at the moment of its keys."""
        draft = EntryDraft(
            chain=ChainRef(keys.subject_id, audience),
            core=core,
            payload=payload,
            at=AT,
            retention_until=AT + timedelta(days=365),
            replay_input=replay_input,
        )
        return self.sealing.prepare_entry(keys, draft)

    def job(self, *entries: PreparedEntry, keys: tuple[SubjectKeys, ...] = ()) -> Job:
        """Return a job that only appends, which on SQLite the event loop writes."""
        return Job(work=lambda _: entries, keys=keys, is_short=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "apart"
    path.mkdir()
    return path


@pytest.fixture
def world(engine: Engine, folder: Path) -> Iterator[LogWorld]:
    made = LogWorld(engine, folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sqlite_world(sqlite_url: str, folder: Path) -> Iterator[LogWorld]:
    engine = open_engine(sqlite_url)
    made = LogWorld(engine, folder)
    made.start()
    yield made
    made.stop()
    engine.dispose()
