"""An old and a new version side by side: the old one stops answering, and loses and forks nothing.

Decision 0030: nobody goes on with a schema that he does not know.
"""

from __future__ import annotations

import asyncio
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
from tests.faults.world import ROOT, open_child
from tests.postgres import OwnServer
from tests.several.conftest import build_partners, open_covenant
from tests.several.kept import require_kept
from tests.several.load import CHILDREN, Load
from tests.several.newer_broker import build_migrations
from tests.several.world import Asking, BrokerProcess, SeveralCovenant, await_true

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]
_SECONDS = 90.0  # what takes longer than that does not come, on a busy machine either


@dataclass
class NewerProcess(BrokerProcess):
    """A process of the next version."""

    migrations: Path = Path()

    @classmethod
    def of(cls, old: BrokerProcess, migrations: Path) -> Self:
        given = {one.name: getattr(old, one.name) for one in fields(BrokerProcess)}
        return cls(**given, migrations=migrations)

    @property
    def how(self) -> list[str]:
        return ["-m", "tests.several.newer_broker"]

    @property
    def variables(self) -> dict[str, str]:
        return {**self.environment, "NEWER_MIGRATIONS": str(self.migrations)}


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
        async with asyncio.timeout(30):
            while sharing.is_current:  # noqa: ASYNC110 - a look is of a thread
                await asyncio.sleep(0.01)
            while sharing.keeps_house:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        with pytest.raises(OutdatedError):
            await sharing.require_current()
        SharingSession(engine, 1).open()  # its number is free
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
    servers = (postgres_url, ratchet_server.url)
    partners = build_partners(own_system)
    with open_covenant(SeveralCovenant, tmp_path, servers, partners, count=2) as made:
        yield made


@pytest.mark.processes
def test_an_upgrade_under_load(covenant: SeveralCovenant, tmp_path: Path) -> None:
    """One after the other: the last old one stops answering when the first new one begins."""
    old, last = covenant.brokers
    newer = NewerProcess.of(old, build_migrations(tmp_path / "newer"))
    with Asking(covenant, "social-team") as team:
        children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
    with Load(covenant, children, seed=3) as load:
        load.await_each(covenant.brokers, _SECONDS)
        old.stop()
        newer.restart()
        covenant.brokers[0] = covenant.broker = newer
        await_true(lambda: find_refusal(last) == "process_outdated", _SECONDS, "it serves on")
        assert httpx.get(last.url() + "/v1/health", trust_env=False).status_code == 503
        load.await_each([newer], _SECONDS)
        last.stop()
        covenant.brokers[1] = NewerProcess.of(last, newer.migrations)
        covenant.brokers[1].restart()
        covenant.others = covenant.brokers[1:]
        load.await_each(covenant.brokers, _SECONDS)
        await_true(lambda: covenant.housekeeper is not None, _SECONDS, "nobody keeps house")
    kept = require_kept(covenant, load.told)
    assert kept.receipts > 0
    assert not load.told.unanswered, load.told.unanswered
    assert set(load.told.tried_again) <= {
        *("no_answer", "process_outdated", "process_not_current", "log_unavailable"),
        *("policy_unavailable", "try_again"),  # on a busy machine
    }, load.told.tried_again


def find_refusal(broker: BrokerProcess) -> str:
    """Return the code with which a process answers nobody just now."""
    refused = httpx.post(broker.url() + "/v1/inquiries", json={}, trust_env=False, timeout=20)
    assert refused.status_code == 503
    return str(refused.json()["code"])
