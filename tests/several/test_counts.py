"""Servers that stop, housekeepers that go, standbys that take over, processes that are killed.

Each so many times, under partners' acts of all kinds; the small counts are of `make test`.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict

import pytest

from tests.several.conftest import Stormy
from tests.several.figures import tell
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.mixing import draw_seed
from tests.several.world import BrokerProcess, await_true, is_alive, keeps_house
from tests.stopping import stop_process

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.long,
    pytest.mark.xdist_group("several-stormy"),
    pytest.mark.timeout(600),
]
# How long it took is told; these only end what would never come on a busy machine either.
_ANSWER_SECONDS = 120.0
_TAKE_OVER_SECONDS = 60.0


class Rounds:
    """Faults one after the other: after each, every process answers within so many seconds."""

    def __init__(self, stormy: Stormy, capsys: pytest.CaptureFixture[str]) -> None:
        self.stormy, self.capsys, self.seed = stormy, capsys, draw_seed()

    def run(self, name: str, count: int, fault: Callable[[int, Load], None]) -> None:
        """Run so many, hold the log against what partners were told, and print what it came to."""
        covenant, seed = self.stormy.covenant, self.seed
        done, longest, began = 0, 0.0, time.monotonic()
        with Load(covenant, self.stormy.children, seed) as load:
            load.await_each(covenant.brokers, _ANSWER_SECONDS)
            for number in range(count):
                fault(number, load)
                done += 1
                longest = max(longest, load.await_each(covenant.brokers, _ANSWER_SECONDS))
        kept = require_kept(covenant, load.told)
        assert kept.receipts > 0
        tell(
            self.capsys,
            what=name,
            count=done,
            seed=seed,
            seconds=round(time.monotonic() - began),
            back_seconds=round(longest, 1),
            **load.told.summarise(),
            **asdict(kept),
        )


@pytest.fixture
def rounds(stormy: Stormy, capsys: pytest.CaptureFixture[str]) -> Rounds:
    return Rounds(stormy, capsys)


def test_stops_of_the_server_lose_nothing(stormy: Stormy, rounds: Rounds, whole: bool) -> None:
    def stop_and_start(_number: int, _load: Load) -> None:
        stormy.pair.stop()
        time.sleep(0.2)
        stormy.pair.start()

    rounds.run("immediate stops of the server", 50 if whole else 3, stop_and_start)


def test_another_keeps_house_when_the_housekeeper_dies_or_hangs(
    stormy: Stormy, rounds: Rounds, whole: bool
) -> None:
    def take_over(number: int, _load: Load) -> None:
        keeper = await_keeper(stormy)
        (kill_keeper if number % 2 == 0 else hold_keeper)(stormy, keeper)

    rounds.run("take-overs of the housekeeper", 20 if whole else 2, take_over)


def test_fail_overs_to_the_standby_lose_nothing(
    stormy: Stormy, rounds: Rounds, whole: bool
) -> None:
    """In turn a copy made anew and the old primary led back is the next standby."""
    pair = stormy.pair
    pair.follow(anew=True)

    def fail_over(number: int, load: Load) -> None:
        pair.fail_over()
        load.await_each(stormy.covenant.brokers, _ANSWER_SECONDS)
        pair.follow(anew=number % 2 == 1)

    rounds.run("fail-overs to the standby", 10 if whole else 1, fail_over)
    pair.part()


def test_processes_killed_under_load_lose_nothing(
    stormy: Stormy, rounds: Rounds, whole: bool
) -> None:
    order = random.Random(rounds.seed)  # noqa: S311 - a test's order, no secret

    def kill(_number: int, _load: Load) -> None:
        time.sleep(order.uniform(0.0, 0.5))
        victim = order.choice(stormy.covenant.brokers)
        victim.kill()
        victim.restart()

    rounds.run("SIGKILLs of one of four processes", 200 if whole else 2, kill)


def await_keeper(stormy: Stormy) -> BrokerProcess:
    await_true(
        lambda: stormy.covenant.housekeeper is not None, _TAKE_OVER_SECONDS, "nobody keeps house"
    )
    keeper = stormy.covenant.housekeeper
    assert keeper is not None
    return keeper


def kill_keeper(stormy: Stormy, keeper: BrokerProcess) -> None:
    keeper.kill()
    await_true(
        lambda: stormy.covenant.housekeeper is not None, _TAKE_OVER_SECONDS, "nobody took over"
    )
    keeper.restart()
    await_true(lambda: keeper.status["processes"] == [1, 2, 3, 4], _TAKE_OVER_SECONDS, "not back")
    assert not keeps_house(keeper)


def hold_keeper(stormy: Stormy, keeper: BrokerProcess) -> None:
    assert keeper.process is not None
    others = [one for one in stormy.covenant.brokers if one is not keeper and is_alive(one)]
    stop_process(keeper.process.pid)
    try:
        await_true(lambda: any(map(keeps_house, others)), _TAKE_OVER_SECONDS, "nobody took over")
    finally:
        keeper.process.send_signal(signal.SIGCONT)
    await_true(lambda: not keeps_house(keeper), _TAKE_OVER_SECONDS, "two keep house")
    await_true(
        lambda: stormy.covenant.housekeeper in others, _TAKE_OVER_SECONDS, "the other one lost it"
    )
