"""What a release takes beyond a direct call: the same facts both ways, and no figure without."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bench import overhead
from bench.__main__ import list_test_bsns
from bench.cells import open_partners
from bench.overhead import measure_overhead, open_direct
from bench.partner import FIELDS, PRODUCT
from bench.soak import open_soaked
from bench.works import Bench
from bench.world import SOURCE, World, open_world

PEOPLE = 12
NAME = "release, beside a direct call"
pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("bench"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, bsns = tmp_path_factory.mktemp("overhead"), list_test_bsns()[:PEOPLE]
    with open_world(folder / "covenant", folder / "kept", bsns, pointers=300) as opened:
        yield opened


def test_the_source_asked_directly_gives_what_its_own_system_holds(world: World) -> None:
    with open_direct(world.covenant.partners[SOURCE].home) as port:
        transport = httpx.HTTPTransport(retries=8)  # until it listens
        with httpx.Client(transport=transport, trust_env=False, timeout=30) as client:
            asked = {"product": PRODUCT, "number": "D-3", "fields": FIELDS}
            answer = client.post(f"http://127.0.0.1:{port}/facts", json=asked)
    assert answer.json() == {
        "values": {"regeling.status": "lopend", "regeling.soort": "schuldbemiddeling"}
    }


async def test_both_ways_give_the_same_facts_and_one_takes_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, list_test_bsns()[:PEOPLE], scale=0.1)
        cases = await open_soaked(bench)
        await measure_overhead(bench, cases)
        found = {figure.name: figure for figure in bench.figures if figure.group == NAME}
        assert found["the same facts"].value >= 99
        directly, released = (
            found[f"p50 at 10/s, {way}"].value for way in ("directly", "released")
        )
        assert 0 < directly < released
        own = found["its own overhead, p50"]
        assert own.value == pytest.approx(released - directly)
        assert own.target == 4
        assert not own.gate
        monkeypatch.setattr(overhead, "FIELDS", FIELDS[:1])
        with pytest.raises(RuntimeError, match="other facts"):
            await measure_overhead(bench, cases)
