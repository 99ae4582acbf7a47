"""One watched covenant for the tests of a worker; each test leaves it as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.log.world import Team, WatchedCovenant, wait_until


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCovenant]:
    """Return a covenant in which both sources took an order under a cosigned checkpoint."""
    with WatchedCovenant(tmp_path_factory.mktemp("watched")) as covenant:
        covenant.register_clients()
        yield covenant


@pytest.fixture(scope="session")
def asked(started: WatchedCovenant) -> Iterator[Team]:
    with Team(started) as team:
        team.open()
        for source in team.involved:
            assert team.order(source).failure is None
        wait_until(started.is_covered)
        for party in (started.broker, started.witness, *started.gateways):
            party.stop()
        started.keep("base", started.broker, started.witness, *started.gateways)
        yield team


@pytest.fixture
def watched(asked: Team) -> Iterator[WatchedCovenant]:
    """Return the covenant as it was after the first orders: nothing of what is watched runs."""
    covenant = asked.covenant
    assert isinstance(covenant, WatchedCovenant)
    yield covenant
    parties = (covenant.broker, covenant.witness, *covenant.gateways)
    for party in parties:
        party.kill()
    covenant.put_back("base", *parties)
