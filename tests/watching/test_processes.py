"""Every kind of party shows its figures, and says how its parts are."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from datwat.party.metric_rows import METRICS
from datwat.party.parts import WORDS
from datwat.party.running import require_running
from tests.demo.world import World
from tests.watching.scraping import (
    COMMANDS,
    PARTIES,
    find_undeclared,
    find_value,
    read_samples,
    scrape,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
CONNECTORS = ("social-team", "youth-help")
# What is not there before it happened, or where a setting has it.
SOMETIMES = {
    "datwat_gateway_uncovered_timestamp_seconds",
    "datwat_processing_waiting",
    "datwat_gateway_log_entries",
    "datwat_requests_total",
    "datwat_request_seconds",
    "datwat_housekeeping_timestamp_seconds",
    "datwat_contents_to_end",
    "datwat_overdue",
    "datwat_vouched_timestamp_seconds",
}


def name_kind(name: str) -> str:
    return "connector" if name in CONNECTORS else COMMANDS.get(name, name)


def list_operations(world: World, name: str) -> frozenset[str]:
    """Return the operation ids of every document that this party serves."""
    ports = require_running(world.covenant.home(name)).ports
    found = {"getOpenapi"}
    for listener in ("api", "local"):
        if listener in ports:
            prefix = "/local" if listener == "local" else ""
            url = f"http://127.0.0.1:{ports[listener]}{prefix}/v1/openapi.json"
            document = httpx.get(url, trust_env=False).json()
            methods = [one for path in document["paths"].values() for one in path.items()]
            found |= {one["operationId"] for method, one in methods if method in ("get", "post")}
    return frozenset(found)


@pytest.mark.parametrize("name", PARTIES)
def test_it_shows_every_figure_of_its_kind_and_no_other(world: World, name: str) -> None:
    text = scrape(world.covenant.home(name))
    assert find_undeclared(text, list_operations(world, name)) == []
    shown = {one.name for one in read_samples(text)}
    for figure, row in METRICS.items():
        found = any(f"{figure}{suffix}" in shown for suffix in ("", "_bucket", "_sum", "_count"))
        if name_kind(name) not in row.parties:
            assert not found, figure
        elif figure not in SOMETIMES:
            assert found, figure
    assert "process_open_fds" in text
    # No name of a party, with which a small count would tell of somebody.
    for partner in world.covenant.partners:
        assert world.covenant.partner_id(partner) not in text
        assert f'"{partner}"' not in text


@pytest.mark.parametrize("name", PARTIES)
def test_status_says_of_each_part_how_it_is(world: World, name: str) -> None:
    """The same parts, in the same state, as the figures have them."""
    home = world.covenant.home(name)
    until = time.monotonic() + 30
    while True:
        found = world.command("status", "--home", str(home))
        text = scrape(home)
        states = {part["part"]: part["state"] for part in found["parts"]}
        numbers = {"ok": 0, "off": 0, "attention": 1, "failed": 2}
        shown = {
            dict(one.labels)["part"]: one.value
            for one in read_samples(text)
            if one.name == "datwat_part_state"
        }
        if shown == {part: numbers[state] for part, state in states.items()}:
            break
        assert time.monotonic() < until, (states, shown)
    for part in found["parts"]:
        assert part["word"] in WORDS.values()
        assert part["what"]
        assert bool(part["what_to_do"]) == (part["state"] in ("attention", "failed")) or (
            part["state"] == "off"
        )


def test_a_question_moves_the_figures(world: World) -> None:
    broker, key_holder = (world.covenant.home(name) for name in ("broker", "key-holder"))
    before = scrape(broker)
    looked_up = find_value(scrape(key_holder), "datwat_evaluations_total", request_class="inquire")
    differences, _ = world.play(world.cases[1])
    assert differences == []
    after = scrape(broker)

    def grown(name: str, **labels: Any) -> float:  # noqa: ANN401 - labels
        return find_value(after, name, **labels) - find_value(before, name, **labels)

    assert grown("datwat_log_entries") > 0
    assert grown("datwat_decisions_total", outcome="permitted") > 0
    assert grown("datwat_decision_seconds_count") >= grown(
        "datwat_decisions_total", outcome="permitted"
    )
    assert grown("datwat_log_batch_jobs_sum") >= grown("datwat_log_batch_jobs_count") > 0
    labels = {"listener": "api", "operation": "createOccasion", "outcome": "answered"}
    assert find_value(after, "datwat_requests_total", **labels) > 0
    assert find_value(after, "datwat_policy_engine_up") == 1
    assert find_value(after, "datwat_policy_engine_starts_total") >= 1
    now = find_value(scrape(key_holder), "datwat_evaluations_total", request_class="inquire")
    assert now >= looked_up


def test_all_parties_show_the_same_revision(world: World) -> None:
    name = "datwat_policy_revision_number"
    homes = [world.covenant.home(one) for one in ("broker", "portal", *CONNECTORS)]
    assert len({find_value(scrape(home), name) for home in homes}) == 1
