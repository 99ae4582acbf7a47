"""A broker with its witness, as outsiders see them: followed, mirrored, audited, and caught."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.client import requests as rq
from datwat.party.admin import call_running
from datwat.party.settings import change_settings
from datwat.protocol.acts import Professional
from datwat.protocol.trust import Card
from demo.covenant import find_ports
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.databases import change_rows, read_rows
from tests.parties import Covenant, PartnerSpec, Party, run_command
from tests.witness.conftest import RunCommand
from tests.witness.log_maker import read_folder
from tests.witness.test_audit_in_go import build_audit, run_audit

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("live-log")]

RIGHTS = ("Jeugdwet 7.2.1;youth;register,inquire",)
NOOR = Professional(id="noor", role="regisseur")
SOON = {"DATWAT_TAG_ROOT_SECONDS": "0.3", "DATWAT_WITNESS_SECONDS": "0.3"}


class World(Covenant):
    """A covenant in which one witness must vouch for the log."""

    def __init__(self, folder: Path) -> None:
        self.system = OwnSystem(folder)
        spec = PartnerSpec("youth-help", "youth", RIGHTS, self.system.declaration)
        super().__init__(folder / "covenant", (spec,), broker_environment=SOON)
        self.witness = Party("witness", self.folder / "witness", "00000099000000004000:witness")
        port = str(find_ports(1)[0])
        run_command(
            *("witness", "init", "--home", str(self.witness.home), "--id", self.witness.id),
            *("--name", "witness.example/w1", "--url", f"http://127.0.0.1:{port}", "--port", port),
        )
        card = Card.model_validate_json((self.witness.home / "card.json").read_bytes())
        assert card.witness is not None
        self.witness_vkey = card.witness.vkey
        folder_of = ("--folder", str(self.trust))
        run_command("trust", "add", str(self.witness.home / "card.json"), *folder_of)
        run_command("trust", "require-witnesses", "1", *folder_of)
        self.sign()
        shown = run_command("trust", "show", str(self.list_path))
        self.pin = str(shown["hash"])
        pinned = {"trust_list": str(self.list_path), "trust_pin": self.pin}
        change_settings(self.witness.home, pinned)
        log = Card.model_validate_json((self.broker.home / "card.json").read_bytes()).log
        assert log is not None
        self.origin, self.vkey = log.origin, log.vkeys[0]

    def start(self) -> None:
        self.witness.begin()
        super().start()
        self.witness.await_ready()

    def close(self) -> None:
        super().close()
        self.witness.kill()

    @property
    def prefix(self) -> str:
        return f"{self.broker.url()}/v1/log"

    def grow(self, place: int) -> None:
        """Have the partner register one more client."""
        self.system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
        with self.connect("youth-help") as client:
            assert client.sync(rq.Sync(professional=NOOR)).state == "finished"

    def has_refused(self, code: str) -> bool:
        return bool(self.status()["last_refusal"] == code)

    def status(self) -> dict[str, Any]:
        return call_running(self.witness.home, "status")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("live")) as made:
        for place in range(3):
            made.grow(place)
        yield made


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_the_witness_vouches_and_outsiders_verify(
    live: World, tmp_path: Path, command: RunCommand
) -> None:
    keys = ("--trust-list", live.list_path, "--pin", live.pin)
    size = call_running(live.broker.home, "status")["log_size"]
    wait_until(lambda: live.status()["vouched_size"] >= size)
    state = tmp_path / "state"

    def verified() -> dict[str, Any]:
        done = command("log", "verify", live.prefix, *keys, "--state", state)
        assert done.code == 0, done.error
        return done.said

    wait_until(lambda: verified()["entries"] >= size)
    said = verified()
    assert said["tag_roots"] >= 1
    assert said["cosigned_by"] == ["witness.example/w1"]
    assert said["cosigned_seconds_ago"] < 60
    done = command("log", "mirror", live.prefix, tmp_path / "mirror", *keys)
    assert done.code == 0, done.error
    typed = ("--key", live.vkey, "--origin", live.origin, "--witness", live.witness_vkey)
    assert command("log", "verify", tmp_path / "mirror", *typed).said["verified"]
    live.grow(3)
    grown = call_running(live.broker.home, "status")["log_size"]
    assert grown > size
    wait_until(lambda: verified()["entries"] >= grown)
    assert command("log", "mirror", live.prefix, tmp_path / "mirror", *keys).code == 0
    assert live.status()["alarms"] == []


def test_go_audits_the_live_log(live: World, tmp_path: Path) -> None:
    words = ("-origin", live.origin, "-key", live.vkey, "-witness", live.witness_vkey)
    code, said, error = run_audit(build_audit(tmp_path), live.prefix, *words)
    assert code == 0, error
    found = json.loads(said)
    assert found["entries"] == found["size"] > 3
    assert found["tag_roots"] >= 1
    assert found["cosignatures"] == 1


def test_one_entry_changed_or_removed_by_hand_is_found_by_verifier_and_witness(
    live: World, tmp_path: Path, command: RunCommand
) -> None:
    """Changes the log for good: the last test of this module."""
    typed = ("--key", live.vkey, "--origin", live.origin)
    state = tmp_path / "state"
    assert command("log", "verify", live.prefix, *typed, "--state", state).code == 0
    held = call_running(live.broker.home, "status")["log_size"]
    wait_until(lambda: live.status()["vouched_size"] >= held)
    before = read_folder(state)
    for number, change, code, sentence in (
        (4, "UPDATE log_entries SET entry = :other", "follow_tiles", "do not lead to the root"),
        (5, "DELETE FROM log_entries", "follow_source", "does not show a part of itself"),
    ):
        live.broker.stop()
        (index, entry), *_ = read_rows(
            live.broker.home,
            "SELECT idx, entry FROM log_entries WHERE subject_id IS NOT NULL ORDER BY idx",
        )
        values = {"other": entry[:2] + bytes(64), "index": index}
        change_rows(live.broker.home, f"{change} WHERE idx = :index", **values)
        live.broker.restart()
        for kept in ((), ("--state", state)):
            refused = command("log", "verify", live.prefix, *typed, *kept)
            assert (refused.code, sentence in refused.error) == (1, True), refused.error
        live.grow(number)
        wait_until(partial(live.has_refused, code))
        assert live.status()["vouched_size"] == held
        assert read_folder(state) == before
