"""A log begun anew after a loss, on real processes: both generations are read, and all goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.client.outgoing import Person
from datwat.protocol.acts import Page
from datwat.protocol.tlog_proof import parse_tlog_proof
from tests.log.world import (
    Resident,
    Team,
    WatchedCovenant,
    ask_outside,
    read_events,
    restart_all,
    wait_until,
)
from tests.parties import run_command

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("watched-log"),
    pytest.mark.timeout(600),
]

YOUTH = "youth-help"
REASON = "disk failure on 3 March"


@pytest.fixture
def listed(watched: WatchedCovenant, tmp_path: Path) -> Iterator[WatchedCovenant]:
    """Return the covenant, whose trust list is put back afterwards."""
    kept = tmp_path / "trust"
    shutil.copytree(watched.trust, kept)
    pin, origin = watched.pin, watched.origin
    yield watched
    shutil.rmtree(watched.trust)
    shutil.copytree(kept, watched.trust)
    watched.pin, watched.origin = pin, origin


def list_anew(covenant: WatchedCovenant) -> None:
    """Take up the broker's new card in the list, and sign it."""
    folder = ("--folder", str(covenant.trust))
    run_command("trust", "add", str(covenant.broker.home / "card.json"), *folder)
    covenant.pin = str(run_command("trust", "sign", *folder)["hash"])


def read_own(resident: Resident) -> list[str]:
    """Return what a resident's log tells of, newest first."""
    person = Person(handle=resident.handle, members={"page": Page(limit=100)})
    response = resident.send(resident.build("access_log", [person]))
    assert response.status_code == 200, response.text
    return read_events(response.content)


def follows_new(covenant: WatchedCovenant) -> bool:
    found = covenant.witness_status()
    return bool(found["log"].endswith("/2") and found["vouched_size"]) and covenant.is_covered()


def takes_order(team: Team) -> bool:
    """Tell whether an order is taken: not while what is signed now counts as signed before."""
    try:
        return team.order(YOUTH).failure is None
    except AssertionError as error:
        if "signed_before_restore" not in str(error):
            raise
        return False


def test_both_generations_are_read_by_outsiders_and_all_goes_on(
    listed: WatchedCovenant, asked: Team, tmp_path: Path
) -> None:
    covenant, broker, witness = listed, listed.broker, listed.witness
    restart_all(broker, witness, covenant.partners[YOUTH])
    old = tmp_path / "old-list.json"
    shutil.copy(covenant.list_path, old)
    old_keys = ("--trust-list", str(old), "--pin", covenant.pin)
    with Resident(covenant) as resident:
        before = resident.download(tmp_path / "before.json")
    asked.inquire()
    wait_until(covenant.is_covered)
    mirror = str(tmp_path / "mirror")
    assert ask_outside("log", "mirror", f"{covenant.prefix}/1", mirror, *old_keys)[0] == 0
    lost = lose_newest(covenant)

    home = ("--home", str(broker.home))
    shown = json.loads((witness.home / "card.json").read_text())["witness"]["url"]
    words = ("--reason", REASON, "--witness", shown, "--yes")
    found = run_command("log", "new-generation", *home, *words)
    assert (found["origin"], found["entries_lost"]) == ("log.example/log/2", lost)
    list_anew(covenant)
    broker.restart()
    witness.stop()
    witness.restart()
    wait_until(lambda: follows_new(covenant))

    # The new one, in its own name and with its own list.
    for prefix in (covenant.prefix, f"{covenant.prefix}/2"):
        code, said, why = ask_outside("log", "verify", prefix, *covenant.keys)
        assert (code, said.get("origin")) == (0, found["origin"]), why
    anew = str(tmp_path / "mirror-2")
    assert ask_outside("log", "mirror", covenant.prefix, anew, *covenant.keys)[0] == 0
    require_old(f"{covenant.prefix}/1", old_keys, tmp_path, before)
    # Who holds more of the old one than the broker still has learns so, and keeps it.
    code, said, _ = ask_outside("log", "mirror", f"{covenant.prefix}/1", mirror, *old_keys)
    assert (code, said["code"]) == (1, "follow_shrunk")
    assert ask_outside("log", "verify", mirror, *old_keys)[0] == 0

    wait_until(lambda: takes_order(asked), 90)
    wait_until(covenant.is_covered)
    with Resident(covenant) as resident:
        told = read_own(resident)
        assert told.count("new_generation") == 1
        bundle = resident.download(tmp_path / "after.json")
    assert ask_outside("log", "check-mine", str(bundle), *covenant.keys)[0] == 0
    earlier = ("--earlier", str(before))
    code, said, _ = ask_outside("log", "check-mine", str(bundle), *covenant.keys, *earlier)
    assert (code, said["code"]) == (1, "completeness_other_log")


def lose_newest(covenant: WatchedCovenant) -> int:
    """Put an older database back, without its ratchet; return how many entries are gone."""
    covenant.broker.stop()
    last = covenant.log_size
    covenant.put_back("base", covenant.broker, without=("ratchet",))
    assert "behind what the log signed before" in covenant.try_to_serve()
    return last - covenant.log_size


def require_old(prefix: str, keys: tuple[str, ...], folder: Path, bundle: Path) -> None:
    """The old generation is verified and mirrored, and an old bundle finds its place in it."""
    code, said, why = ask_outside("log", "verify", prefix, *keys)
    assert (code, said.get("cosignatures")) == (0, 1), why
    mirror = str(folder / "mirror-1")
    assert ask_outside("log", "mirror", prefix, mirror, *keys)[0] == 0
    assert ask_outside("log", "verify", mirror, *keys)[0] == 0
    assert ask_outside("log", "check-mine", str(bundle), *keys)[0] == 0
    stated = json.loads(bundle.read_text())["checkpoint"].split("\n")
    response = httpx.get(f"{prefix}/proof/0", trust_env=False)
    shown = parse_tlog_proof(response.content).checkpoint.decode().split("\n")
    # The very tree that the bundle rests on: same name, size and root.
    assert shown[:3] == stated[:3]
