"""A ratchet that says nothing for long ends every process; none goes on, and none forgets."""

from __future__ import annotations

import pytest

from tests.several.conftest import Stormy
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.mixing import draw_seed
from tests.several.world import BrokerProcess, await_true, is_alive

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
        before = {one.number: one.log.stat().st_size for one in covenant.brokers}

        def list_stopped() -> list[int]:
            return [one.number for one in covenant.brokers if _says_stopped(one, before)]

        stormy.ratchet_network.hang()
        try:
            # Of the first one: they wait for the head's lock one after another, and the last one
            # ends late also where each gives up at once.
            seconds = await_true(lambda: list_stopped() != [], _MOST_SECONDS, "none stopped")
            await_true(
                lambda: not any(map(is_alive, covenant.brokers)), _MOST_SECONDS, "one goes on"
            )
        finally:
            stormy.ratchet_network.flow()
        assert seconds > _LEAST_SECONDS  # a server that comes back sooner ends nobody
        assert list_stopped() == [one.number for one in covenant.brokers]
        for broker in covenant.brokers:
            broker.restart()
        load.await_each(covenant.brokers, _ANSWER_SECONDS)
    assert require_kept(covenant, load.told).receipts > 0


def _says_stopped(broker: BrokerProcess, before: dict[int, int]) -> bool:
    """Whether a process said since then that its log stopped."""
    with broker.log.open("rb") as log:
        log.seek(before[broker.number])
        return b"log_stopped" in log.read()
