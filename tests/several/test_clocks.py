"""Two processes whose clocks are 20 seconds apart: what partners are told holds all the same.

Messages bear 30 seconds (`freshness.CLOCK_SKEW`). Who keeps house is a matter of sessions, never of
clocks. What the one noted just now lies in the future for the other: it is weighed as not yet so,
and refused with its finding; nothing is released for it. `status` says which clock is off.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from datwat.party import clock
from datwat.party.readings import measure_clock
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.world import open_child
from tests.postgres import OwnServer
from tests.several.conftest import build_partners, open_covenant
from tests.several.kept import require_kept
from tests.several.load import CHILDREN, Load
from tests.several.world import Asking, BrokerProcess, SeveralCovenant, await_true

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]

_SHIFTS = {1: "0", 2: "20"}
_ROOTS = "SELECT coalesce(max(size), 0) FROM log_tag_roots"
_SECONDS = 90.0  # what takes longer than that does not come, on a busy machine either


class ShiftedProcess(BrokerProcess):
    """A process whose clock is off."""

    @property
    def how(self) -> list[str]:
        return ["-m", "tests.faults.shifted_clock"]

    @property
    def variables(self) -> dict[str, str]:
        return {**self.environment, "CLOCK_SHIFT": _SHIFTS[self.number]}


class ShiftedCovenant(SeveralCovenant):
    """A covenant whose broker has such processes."""

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - those of SeveralCovenant
        super().__init__(*args, **more)
        self.brokers = [ShiftedProcess(**vars(one)) for one in self.brokers]
        self.broker = self.brokers[0]


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
    servers = (postgres_url, ratchet_server.url)
    partners = build_partners(own_system)
    with open_covenant(ShiftedCovenant, tmp_path, servers, partners, count=2) as made:
        yield made


@pytest.mark.processes
def test_two_processes_with_clocks_twenty_seconds_apart(covenant: SeveralCovenant) -> None:
    with Asking(covenant, "social-team") as team:
        children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
    with Load(covenant, children, seed=4) as load:
        load.await_each(covenant.brokers, _SECONDS)
        for _ in range(2):  # each of them keeps house once, and both answer
            await_true(lambda: covenant.housekeeper is not None, _SECONDS, "nobody keeps house")
            keeper = covenant.housekeeper
            assert isinstance(keeper, ShiftedProcess)
            roots = covenant.read(_ROOTS)
            await_true(
                lambda: covenant.read(_ROOTS) > roots,  # noqa: B023 - read before the next round
                _SECONDS,
                "no new tag root",
            )
            keeper.kill()
            await_true(lambda: covenant.housekeeper is not None, _SECONDS, "nobody took over")
            keeper.restart()
            load.await_each(covenant.brokers, _SECONDS)
    kept = require_kept(covenant, load.told)
    assert kept.orders > 0
    assert not load.told.unanswered, load.told.unanswered
    refused = {name for name in load.told.refused if not name.endswith("weighed")}
    # A busy machine may pass the two seconds of an order.
    assert refused <= {"release source_too_slow"}, load.told.refused
    right, ahead = covenant.brokers
    await_true(lambda: tells_of_clock(ahead), _SECONDS, "status tells nothing")
    assert not tells_of_clock(right)


def tells_of_clock(broker: BrokerProcess) -> bool:
    (database,) = [one for one in broker.status["parts"] if one["part"] == "database"]
    return bool(database["code"] == "database_clock")
