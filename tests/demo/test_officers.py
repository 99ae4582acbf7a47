"""Officers at the pages of a running broker: the login at the provider, their roles, the status."""

from __future__ import annotations

import pytest

from broker.pages.part_words import PART_NAMES
from demo.officers import OFFICERS
from tests.connectors.pages.staffer import Staffer
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
_SYSTEM = {"operator", "auditor", "data_protection_officer"}
_WRITES = {"author"}


@pytest.mark.parametrize("name", OFFICERS)
def test_each_officer_comes_in_and_sees_what_the_role_opens(world: World, name: str) -> None:
    role = OFFICERS[name][0]
    somebody = Staffer(world.covenant.pages_url("broker"))
    with somebody.client:
        somebody.log_in(name)
        assert 'href="/purposes"' in somebody.read("/")
        somebody.read("/purposes")
        assert somebody.get("/system").status_code == (200 if role in _SYSTEM else 403)
        assert somebody.get("/drafts/new").status_code == (200 if role in _WRITES else 403)


@pytest.mark.parametrize("name", ["noor", "nobody-known"])
def test_who_is_no_officer_stays_out(world: World, name: str) -> None:
    stranger = Staffer(world.covenant.pages_url("broker"))
    with stranger.client:
        answer = stranger.log_in(name)
        assert answer.status_code == 403
        assert name not in answer.text
        assert stranger.get("/purposes").status_code == 401


def test_a_cookie_of_another_party_lets_nobody_in(world: World) -> None:
    noor = Staffer(world.covenant.pages_url("social-team"))
    with noor.client:
        noor.log_in("noor")
        held = dict(noor.client.cookies)
    broker = Staffer(world.covenant.pages_url("broker"))
    with broker.client:
        broker.client.cookies.update(
            {name.replace("datwat-staff", "datwat-broker"): value for name, value in held.items()}
        )
        assert broker.get("/purposes").status_code == 401


def test_status_tells_each_part_of_the_running_broker(world: World) -> None:
    found = world.command("status", "--home", str(world.covenant.home("broker")))
    parts = {one["part"]: one for one in found["parts"]}
    assert set(parts) == set(PART_NAMES)
    for name in ("policy", "policy_engine", "key_holder", "database", "log", "trust_list"):
        assert parts[name]["state"] == "ok", parts[name]
    for one in parts.values():
        assert one["what"]
        assert (one["what_to_do"] != "") >= (one["state"] in ("failed", "attention"))
    # The same command tells of every other party what its own `status` says.
    assert world.command("status", "--home", str(world.covenant.home("witness")))
