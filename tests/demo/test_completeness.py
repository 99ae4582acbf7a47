"""On the running demo, with the commands that anybody types: check-mine, entries and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.covenant import build_login
from demo.model import Case
from tests.demo.test_portal import get_me, get_proof, log_in
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield client


def read_trust(world: World) -> tuple[str, ...]:
    path = world.covenant.home("trust") / "trust-list.json"
    pin = world.command("trust", "show", str(path))["hash"]
    return ("--trust-list", str(path), "--pin", pin)


def download(world: World, browser: httpx.Client, case: Case, who: str, path: Path) -> str:
    browser.cookies.clear()
    log_in(world, browser, build_login(case, who))
    portal = world.covenant.url("portal")
    bundle = get_proof(browser, portal, get_me(browser, portal))
    path.write_text(bundle.model_dump_json(), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("number", [1, 6])
def test_partners_hold_nothing_that_a_residents_bundle_lacks(
    world: World, browser: httpx.Client, tmp_path: Path, number: int
) -> None:
    case = world.cases[number]
    world.play(case)
    trust = read_trust(world)
    counted: dict[str, int] = {"shown": 0, "not_covered": 0}
    for who, person in case.people.items():
        file = download(world, browser, case, who, tmp_path / f"{who}.json")
        verdict = world.command("log", "check-mine", file, *trust)
        assert verdict["status"] in ("proved", "proved_until", "not_witnessed")
        for function, client in person.numbers.items():
            home = str(world.covenant.home(function))
            held = world.command("connector", "entries", "--home", home, "--person", client)
            entries = tmp_path / f"{who}-{function}.json"
            entries.write_text(json.dumps(held), encoding="utf-8")
            found: dict[str, Any] = world.command("log", "compare", file, str(entries), *trust)
            assert found["missing"] == 0, found
            for name in counted:
                counted[name] += found[name]
    assert counted["shown"] > 0


def test_the_broker_shows_the_hash_of_the_page(world: World, tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    made = world.command("log", "page", *read_trust(world), "--out", str(page))
    status = world.command("broker", "status", "--home", str(world.covenant.home("broker")))
    assert status["check_page_sha256"] == made["sha256"]
