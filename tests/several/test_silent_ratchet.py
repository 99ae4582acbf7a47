"""A ratchet that says nothing for long ends every process; none goes on, and none forgets."""

from __future__ import annotations

import pytest

from tests.several.conftest import Stormy
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.mixing import draw_seed
from tests.several.world import await_true, is_alive

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several-stormy"),
    pytest.mark.timeout(600),
]
_ANSWER_SECONDS = 120.0
# It is asked again for twenty seconds, then once more for as long as an answer may take.
_LEAST_SECONDS, _MOST_SECONDS = 15.0, 120.0


def test_a_ratchet_that_hangs_ends_the_processes_and_nothing_is_lost(stormy: Stormy) -> None:
    covenant = stormy.covenant
    with Load(covenant, stormy.children, draw_seed()) as load:
        load.await_each(covenant.brokers, _ANSWER_SECONDS)
        stormy.ratchet_network.hang()
        try:
            seconds = await_true(
                lambda: not any(map(is_alive, covenant.brokers)), _MOST_SECONDS, "one goes on"
            )
        finally:
            stormy.ratchet_network.flow()
        assert seconds > _LEAST_SECONDS  # a server that comes back sooner ends nobody
        assert all("log_stopped" in one.log.read_text() for one in covenant.brokers)
        for broker in covenant.brokers:
            broker.restart()
        load.await_each(covenant.brokers, _ANSWER_SECONDS)
    assert require_kept(covenant, load.told).receipts > 0
