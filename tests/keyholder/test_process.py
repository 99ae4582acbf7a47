"""The key holder's process: start, restart, expired list, self-test, commands."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from datwat.party.database import DatabaseError
from datwat.party.running import NotRunningError, find_running
from datwat.party.settings import (
    HomeExistsError,
    SettingsError,
    change_settings,
    load_settings,
)
from datwat.party.trust_list import TrustListError, TrustListPinError
from datwat.protocol.errors import DatwatError
from keyholder.app import open_party
from keyholder.errors import NotListedError
from keyholder.settings import KeyHolderSettings
from tests.keyholder.world import START, World, look_up, problem, run
from tests.party.covenant import KEY_HOLDER_ID, build_member, now, write

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("keyholder")]


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, (build_member(1, "inquire"),))
    yield made
    made.close()


def test_an_answer_and_the_quota_outlive_a_killed_process(own_world: World) -> None:
    member = own_world.members[0]
    own_world.start(DATWAT_QUOTA_INQUIRE="2")
    own_world.enable(member)
    message, _, _ = look_up(member)
    first = own_world.post(message)
    assert first.status_code == 200
    own_world.stop(signal.SIGKILL)
    own_world.start(DATWAT_QUOTA_INQUIRE="2")
    assert own_world.post(message).content == first.content
    assert own_world.post(look_up(member)[0]).status_code == 200
    assert problem(own_world.post(look_up(member)[0]))["status"] == 429
    # The same bytes again are answered even over quota: nothing new is given away.
    assert own_world.post(message).content == first.content


def test_an_expired_list_refuses_everybody_with_its_own_code(tmp_path: Path) -> None:
    member = build_member(1, "inquire")
    world = World(tmp_path, (member,), valid_until=now() - timedelta(seconds=5))
    try:
        world.start().enable(member)
        refused = problem(world.post(look_up(member)[0]))
        assert (refused["status"], refused["code"]) == (503, "trust_list_expired")
    finally:
        world.close()


def test_a_partner_that_just_joined_is_heard_within_seconds(own_world: World) -> None:
    """It is refused once, as any stranger is; that has the list read, and not in a minute."""
    own_world.start()
    joined = build_member(2, "inquire")
    covenant = replace(own_world.covenant, members=(*own_world.members, joined))
    write(own_world.home.parent / "list.json", covenant.sign(covenant.build(seq=2)))
    until, seen = time.monotonic() + 15, []
    while time.monotonic() < until and "partner_not_open" not in seen:
        seen.append(problem(own_world.post(look_up(joined)[0]))["code"])
        time.sleep(0.2)
    assert (seen[0], seen[-1]) == ("message_key_unknown", "partner_not_open")


def test_it_stops_when_asked_and_leaves_no_run_file(own_world: World) -> None:
    own_world.start()
    assert find_running(own_world.home) is not None
    assert own_world.stop() == 0
    assert find_running(own_world.home) is None
    with pytest.raises(NotRunningError):
        run("status", "--home", str(own_world.home))


def start_once(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, "keyholder", "serve", "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"trust_pin": "00" * 32}, TrustListPinError),
        ({"trust_pin": ""}, TrustListPinError),
        ({"trust_list": ""}, TrustListError),
        ({"id": "00000099000000009999:other"}, NotListedError),
        ({"port": 99_999}, SettingsError),
        ({"unknown": 1}, SettingsError),
        ({"database_url": "mysql://x"}, DatabaseError),
    ],
)
async def test_it_does_not_start_with_what_is_wrong(
    own_world: World, changes: dict[str, str | int | bool], error: type[DatwatError]
) -> None:
    change_settings(own_world.home, changes)
    with pytest.raises(error):
        async with open_party(load_settings(KeyHolderSettings, own_world.home)):
            pytest.fail("it started")


def test_a_failed_start_is_one_line(own_world: World) -> None:
    (own_world.home / "secrets" / "scalar-1").chmod(0o644)
    done = start_once(own_world.home)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "scalar-1" in done.stderr


def test_one_process_per_home(own_world: World) -> None:
    own_world.start()
    done = start_once(own_world.home)
    assert done.returncode == 1
    assert "already running" in done.stderr


def test_init_keeps_secrets_to_itself_and_never_starts_over(own_world: World) -> None:
    secrets = list((own_world.home / "secrets").iterdir())
    assert {path.name for path in secrets} == {"scalar-1", "x25519.jwk", "admin.token"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secrets)
    card = (own_world.home / "card.json").read_text()
    assert own_world.secret.hex() not in card
    with pytest.raises(HomeExistsError):
        run(
            *("init", "--home", str(own_world.home), "--id", KEY_HOLDER_ID),
            *("--name", "KH", "--url", "http://127.0.0.1:1"),
        )
