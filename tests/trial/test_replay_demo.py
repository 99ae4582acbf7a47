"""The decisions of the demo's six cases, put to the policy that made them: nothing differs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from broker.adapters.database import open_engine
from broker.adapters.replay_store import SqlReplays
from broker.adapters.secrets import ROW_KEY_NAME
from broker.policy.publication import read_publication
from broker.policy.replay_result import ReplayPlan, ReplayResult
from broker.policy.trial import open_trial_bundle
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from broker.settings import BrokerSettings
from broker.trying.replay_process import run_replay
from datwat.party import clock
from datwat.party.settings import load_settings, read_secret
from tests.demo.world import World, acquire, release

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    yield acquire()
    release()


def replay(world: World, purpose: str, *, withdrawn: bool = False) -> ReplayResult:
    """Put everything that the demo's broker kept to a purpose as it is, or to its absence."""
    home = world.covenant.home("broker")
    settings = load_settings(BrokerSettings, home)
    archive = read_publication(home / "policy-in-force").archive
    bundle = open_trial_bundle(archive)
    draft: Purpose | None = Catalogue.from_bundle(bundle).find_newest(purpose)
    assert draft is not None
    engine = open_engine(settings.database)
    replays = SqlReplays(engine, read_secret(home, ROW_KEY_NAME))
    now = clock.now().replace(microsecond=0)
    plan = ReplayPlan(
        purpose=purpose,
        digest=derive_digest(draft),
        draft=None if withdrawn else draft,
        base_seq=1,
        base_revision=bundle.revision,
        from_index=0,
        to_index=2**40,
        planned_at=now,
    )
    number = replays.begin(plan, archive, now)
    assert asyncio.run(run_replay(home, number))
    found = replays.find(number)
    engine.dispose()
    assert found is not None
    return found


def test_the_six_cases_come_out_as_they_did(world: World) -> None:
    for number in range(1, 7):  # the seventh is about rules that change
        failures, _ = world.play(world.cases[number])
        assert failures == [], number
    result = replay(world, "coordinate_family_help")
    assert result.state == "done"
    assert result.weighed == result.same > 50
    changes = result.newly_allowed, result.newly_refused, result.changed, result.drifted
    assert changes == (0, 0, 0, 0)
    assert (result.damaged, result.rows, result.examples) == (0, (), ())
    assert result.waiting is not None
    assert result.waiting.is_few
    gone = replay(world, "coordinate_family_help", withdrawn=True)
    assert gone.newly_refused > 0
    assert {row.purpose for row in gone.rows} == {"coordinate_family_help"}
