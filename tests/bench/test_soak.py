"""Memory and file descriptors stay flat, also with what is refused and with what is no question.

In part (`make test`) half a minute: file descriptors, and no process that swells. Whole (`make
test-long`) sixteen minutes and more, over which nothing may grow by what a question costs; and as
long with two broker processes on PostgreSQL, whose connections and memory count too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.__main__ import list_test_bsns
from bench.cells import open_partners
from bench.meter import Group
from bench.postgres import Database
from bench.soak import (
    DATABASE,
    INDEX_MEBIBYTES,
    MOST_GROWN,
    MOST_PER_MILLION,
    PEOPLE,
    SECONDS,
    Sample,
    derive_growth,
    is_long,
    list_processes,
    open_soaked,
    soak,
)
from bench.works import Bench
from bench.world import World, open_world

_MILLION = 1_000_000


def build_samples(*held: float, files: int = 20) -> list[Sample]:
    return [
        Sample(number * 1_000, {"broker": memory}, {"broker": files}, {})
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
        Sample(number * 1_000, {"broker": 100.0}, {"broker": 20 + number}, {})
        for number in range(9)
    ]
    assert derive_growth(samples, "broker").files == pytest.approx(5)


def test_too_few_samples_give_no_figure() -> None:
    with pytest.raises(ValueError, match="three samples"):
        derive_growth(build_samples(1, 2), "broker")


def test_what_grows_while_caches_fill_is_no_growth_of_a_long_run() -> None:
    held = [100.0 + min(number, 40) for number in range(100)]
    samples = build_samples(*held)
    assert is_long(samples)
    assert derive_growth(samples, "broker").per_million == pytest.approx(0)
    assert not is_long(samples[:60])
    assert derive_growth(samples[:60], "broker").per_million == pytest.approx(0)
    assert derive_growth(samples[:30], "broker").per_million == pytest.approx(1_000)


def test_a_long_run_that_grows_with_each_question_is_refused() -> None:
    require_flat(build_samples(*([100.0] * 100)))
    with pytest.raises(AssertionError, match="broker: 220 MiB a million"):
        require_flat(build_samples(*(100 + number * 0.22 for number in range(100))))


def test_each_process_of_a_group_is_looked_at_by_itself() -> None:
    pids: dict[str, int | Group] = {"broker": Group((3, 5)), "opa": 7}
    pids[DATABASE] = Group((9,), with_children=True)
    assert list_processes(pids) == {"broker 1": 3, "broker 2": 5, "opa": 7}


@contextmanager
def open_soaking(folder: Path, database: Database, brokers: int) -> Iterator[World]:
    bsns = list_test_bsns()[:PEOPLE]
    with open_world(
        folder / "covenant",
        folder / "kept",
        bsns,
        pointers=300,
        database=database,
        brokers=brokers,
    ) as world:
        yield world


async def soak_world(world: World, seconds: float) -> list[Sample]:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, list_test_bsns()[:PEOPLE])
        return await soak(bench, await open_soaked(bench), seconds)


def require_flat(samples: list[Sample]) -> None:
    """Fail unless no process grew by what was asked."""
    last = samples[-1]
    for name, held in last.memory.items():
        growth = derive_growth(samples, name)
        assert growth.files < 4, f"{name} keeps {growth.files:.0f} more open"
        assert last.files[name] < 150, name
        assert growth.memory < MOST_GROWN, f"{name} grew by {growth.memory:.0f} MiB"
        assert held < 350, name
        if is_long(samples):
            assert growth.per_million < MOST_PER_MILLION, (
                f"{name}: {growth.per_million:.0f} MiB a million"
            )
    for name, tags in last.tags.items():
        assert 0 < tags <= INDEX_MEBIBYTES + 1, f"{name} holds {tags:.0f} MiB for the tags"


@pytest.mark.long
@pytest.mark.processes
@pytest.mark.xdist_group("bench")
@pytest.mark.timeout(300)
async def test_memory_and_descriptors_stay_flat(tmp_path: Path, *, whole: bool) -> None:
    with open_soaking(tmp_path, "sqlite", 1) as world:
        samples = await soak_world(world, SECONDS if whole else 25)
    assert samples[-1].asked > (5_000 if whole else 1_000)
    assert set(samples[-1].memory) == {"broker", "opa", "key holder", "gateway"}
    require_flat(samples)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.xdist_group("bench")
@pytest.mark.timeout(300)
async def test_two_brokers_and_their_database_stay_flat(
    postgres_url: str, tmp_path: Path, *, whole: bool
) -> None:
    with open_soaking(tmp_path, "postgresql", 2) as world:
        samples = await soak_world(world, SECONDS if whole else 10)
    assert samples[-1].asked > (5_000 if whole else 200)
    brokers = {"broker 1", "broker 2", "opa 1", "opa 2", DATABASE}
    assert set(samples[-1].memory) == {*brokers, "key holder", "gateway"}
    assert set(samples[-1].tags) == {"broker 1", "broker 2"}
    require_flat(samples)
