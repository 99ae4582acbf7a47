"""Two processes whose clocks are 20 seconds apart: what partners are told holds all the same.

Messages bear 30 seconds (`freshness.CLOCK_SKEW`). Who keeps house is a matter of sessions, never of
clocks. What the one noted just now lies in the future for the other: it is weighed as not yet so,
and refused with its finding; nothing is released for it. `status` says which clock is off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from datwat.party import clock
from datwat.party.readings import measure_clock
from tests.conftest import open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import sync
from tests.faults.world import RIGHTS, ROOT, open_child
from tests.parties import PartnerSpec
from tests.postgres import OwnServer
from tests.several.kept import require_kept
from tests.several.load import CHILDREN, Load
from tests.several.world import Asking, BrokerProcess, SeveralCovenant, await_true

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]

_SHIFTS = {1: "0", 2: "20"}


class ShiftedProcess(BrokerProcess):
    """A process whose clock is off."""

    def begin(self) -> None:
        command = [sys.executable, "-m", "tests.faults.shifted_clock", "broker", "serve"]
        number = str(self.number)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--home", str(self.home), "--process", number, "--with-parent"],
                cwd=ROOT,
                env={**os.environ, **self.environment, "CLOCK_SHIFT": _SHIFTS[self.number]},
                stdout=log,
                stderr=log,
            )


def test_the_database_tells_whose_clock_is_off(engine: Engine) -> None:
    ahead = timedelta(seconds=20)
    found = measure_clock(engine, lambda: clock.now() + ahead)
    if engine.dialect.name == "sqlite":  # there is one clock only
        assert found == timedelta(0)
    else:
        assert abs(found - ahead) < timedelta(seconds=3)


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
    ):
        made = SeveralCovenant(tmp_path, partners, database=url, ratchet=ratchet, count=2)
        made.brokers = [ShiftedProcess(**{**vars(one), "process": None}) for one in made.brokers]
        made.broker = made.brokers[0]
        with made:
            sync(made)
            yield made


@pytest.mark.processes
def test_two_processes_with_clocks_twenty_seconds_apart(covenant: SeveralCovenant) -> None:
    with Asking(covenant, "social-team") as team:
        children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
    with Load(covenant, children, seed=4) as load:
        load.await_each(covenant.brokers, 60.0)
        for _ in range(2):  # each of them keeps house once, and both answer
            await_true(lambda: covenant.housekeeper is not None, 30.0, "nobody keeps house")
            keeper = covenant.housekeeper
            assert isinstance(keeper, ShiftedProcess)
            roots = covenant.read("SELECT max(size) FROM log_tag_roots")
            await_true(
                lambda: covenant.read("SELECT max(size) FROM log_tag_roots") > roots,  # noqa: B023
                30.0,
                "no new tag root",
            )
            keeper.kill()
            await_true(lambda: covenant.housekeeper is not None, 30.0, "nobody took over")
            keeper.restart()
            load.await_each(covenant.brokers, 60.0)
    kept = require_kept(covenant, load.told)
    assert kept.orders > 0
    assert not load.told.unanswered, load.told.unanswered
    refused = {name for name in load.told.refused if not name.endswith("weighed")}
    assert refused == set(), load.told.refused
    right, ahead = covenant.brokers
    await_true(lambda: tells_of_clock(ahead), 40.0, "status tells nothing")
    assert not tells_of_clock(right)


def tells_of_clock(broker: BrokerProcess) -> bool:
    (database,) = [one for one in broker.status["parts"] if one["part"] == "database"]
    return bool(database["code"] == "database_clock")
