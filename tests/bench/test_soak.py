"""Memory and file descriptors stay flat, also with what is refused and with what is no question.

In part (`make test`) half a minute: file descriptors, and no process that swells. Whole (`make
test-long`) sixteen minutes and more, over which nothing may grow by what a question costs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.__main__ import list_test_bsns
from bench.cells import open_partners
from bench.soak import (
    PEOPLE,
    SECONDS,
    Sample,
    derive_growth,
    open_soaked,
    soak,
)
from bench.works import Bench
from bench.world import World, open_world

_MILLION = 1_000_000


def build_samples(*held: float, files: int = 20) -> list[Sample]:
    return [
        Sample(number * 1_000, {"broker": memory}, {"broker": files})
        for number, memory in enumerate(held)
    ]


def test_what_grows_before_the_warm_up_is_over_does_not_count() -> None:
    growth = derive_growth(build_samples(100, 130, 150, 150, 150, 150), "broker")
    assert growth.memory == pytest.approx(0)
    assert growth.files == pytest.approx(0)


def test_what_grows_with_each_question_is_seen() -> None:
    growth = derive_growth(build_samples(*(100 + number for number in range(12))), "broker")
    assert growth.memory == pytest.approx(7)
    assert growth.per_million == pytest.approx(1_000)


def test_one_hiccup_is_no_growth() -> None:
    held = [100.0] * 30
    held[20] = 160
    assert abs(derive_growth(build_samples(*held), "broker").memory) < 5


def test_a_descriptor_that_stays_open_is_seen() -> None:
    samples = [
        Sample(number * 1_000, {"broker": 100.0}, {"broker": 20 + number}) for number in range(9)
    ]
    assert derive_growth(samples, "broker").files == pytest.approx(5)


def test_too_few_samples_give_no_figure() -> None:
    with pytest.raises(ValueError, match="three samples"):
        derive_growth(build_samples(1, 2), "broker")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("soak")
    bsns = list_test_bsns()[:PEOPLE]
    with open_world(folder / "covenant", folder / "kept", bsns, pointers=300) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.processes
@pytest.mark.xdist_group("bench")
@pytest.mark.timeout(300)
async def test_memory_and_descriptors_stay_flat(world: World, *, whole: bool) -> None:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, list_test_bsns()[:PEOPLE])
        samples = await soak(bench, await open_soaked(bench), SECONDS if whole else 25)
    assert samples[-1].asked > (5_000 if whole else 1_000)
    assert set(samples[-1].memory) == {"broker", "opa", "key holder", "gateway"}
    for name in samples[-1].memory:
        growth = derive_growth(samples, name)
        assert growth.files < 4, f"{name} keeps {growth.files:.0f} descriptors open"
        assert samples[-1].files[name] < 150, name
        assert growth.memory < 24, f"{name} grew by {growth.memory:.0f} MiB"
        assert samples[-1].memory[name] < 350, name
