"""An old and a new version side by side: the old one stops answering, and loses and forks nothing.

Decision 0030: nobody goes on with a schema that he does not know.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import httpx
import pytest
from sqlalchemy import text

from broker.adapters.database import open_engine
from broker.adapters.sharing_store import SharingSession
from broker.sharing import OutdatedError, Sharing
from datwat.party import database
from datwat.party.database_errors import DatabaseTooNewError
from tests.conftest import open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import sync
from tests.faults.world import RIGHTS, ROOT, open_child
from tests.parties import PartnerSpec
from tests.postgres import OwnServer
from tests.several.kept import require_kept
from tests.several.load import CHILDREN, Load
from tests.several.newer_broker import build_migrations
from tests.several.world import Asking, BrokerProcess, SeveralCovenant, await_true

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]


@dataclass
class NewerProcess(BrokerProcess):
    """A process of the next version."""

    migrations: Path = Path()

    @classmethod
    def of(cls, old: BrokerProcess, migrations: Path) -> Self:
        given = {one.name: getattr(old, one.name) for one in fields(BrokerProcess)}
        return cls(**given, migrations=migrations)

    def begin(self) -> None:
        command = [sys.executable, "-m", "tests.several.newer_broker", "broker", "serve"]
        number = str(self.number)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--home", str(self.home), "--process", number, "--with-parent"],
                cwd=ROOT,
                env={**os.environ, **self.environment, "NEWER_MIGRATIONS": str(self.migrations)},
                stdout=log,
                stderr=log,
            )


async def test_a_process_knows_that_a_newer_one_changed_the_schema(
    postgres_url: str, postgres_template: str, tmp_path: Path
) -> None:
    with open_database(postgres_url, postgres_template) as url:
        engine = open_engine(url)
        session = SharingSession(engine, 1)
        session.open()
        sharing = Sharing(1, session, is_shared=True)
        running = asyncio.ensure_future(sharing.run())
        await sharing.require_current()
        assert sharing.build_status()["housekeeper"] == 1
        database.migrate(engine, build_migrations(tmp_path))
        began = time.monotonic()
        async with asyncio.timeout(20):
            while sharing.is_current:  # noqa: ASYNC110 - a look is of a thread
                await asyncio.sleep(0.01)
            while sharing.keeps_house:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert time.monotonic() - began < 5.0  # a second, and what a busy machine adds
        with pytest.raises(OutdatedError):
            await sharing.require_current()
        assert SharingSession(engine, 1).list_holders().processes == ()
        running.cancel()
        await asyncio.to_thread(sharing.close)
        with pytest.raises(DatabaseTooNewError):  # and it does not start again as it is
            database.migrate(engine, database_of_this_version())
        with engine.connect() as conn:
            assert conn.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        engine.dispose()


def database_of_this_version() -> Path:
    return Path(ROOT / "broker" / "adapters" / "migrations")


@pytest.fixture
def covenant(
    tmp_path: Path, postgres_url: str, ratchet_server: OwnServer, own_system: OwnSystem
) -> Iterator[SeveralCovenant]:
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], own_system.declaration, number=2),
    )
    with (
        open_database(postgres_url) as url,
        open_database(ratchet_server.url) as ratchet,
        SeveralCovenant(tmp_path, partners, database=url, ratchet=ratchet, count=2) as made,
    ):
        sync(made)
        yield made


@pytest.mark.processes
def test_an_upgrade_under_load(covenant: SeveralCovenant, tmp_path: Path) -> None:
    """One after the other: the last old one stops answering when the first new one begins."""
    old, last = covenant.brokers
    newer = NewerProcess.of(old, build_migrations(tmp_path / "newer"))
    with Asking(covenant, "social-team") as team:
        children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
    with Load(covenant, children, seed=3) as load:
        load.await_each(covenant.brokers, 30.0)
        old.stop()
        newer.restart()
        covenant.brokers[0] = covenant.broker = newer
        refused = httpx.post(last.url() + "/v1/inquiries", json={}, trust_env=False, timeout=20)
        assert (refused.status_code, refused.json()["code"]) == (503, "process_outdated")
        assert httpx.get(last.url() + "/v1/health", trust_env=False).status_code == 503
        load.await_each([newer], 60.0)
        last.stop()
        covenant.brokers[1] = NewerProcess.of(last, newer.migrations)
        covenant.brokers[1].restart()
        covenant.others = covenant.brokers[1:]
        load.await_each(covenant.brokers, 60.0)
        await_true(lambda: covenant.housekeeper is not None, 30.0, "nobody keeps house")
    kept = require_kept(covenant, load.told)
    assert kept.receipts > 0
    assert not load.told.unanswered, load.told.unanswered
    assert set(load.told.tried_again) <= {
        *("no_answer", "process_outdated", "process_not_current", "log_unavailable"),
    }, load.told.tried_again
