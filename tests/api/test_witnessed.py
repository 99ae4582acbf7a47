"""Broker and witness as processes of their own, each with nothing but the trust list in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from broker.settings import BrokerSettings
from datwat.cli import run
from datwat.party.admin import call_party
from datwat.party.running import wait_until_ready
from datwat.party.settings import change_settings, load_settings
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from datwat.protocol.notes import parse_note
from datwat.protocol.tlog_proof import parse_tlog_proof
from datwat.protocol.trust import Card
from tests.api.conftest import Served, start, stop
from tests.api.test_public_log import NUMBERS, SOON, wait_for
from tests.exchange.source import free_port
from tests.exchange.world import World, by_bsn, now, registers, say

pytestmark = pytest.mark.processes
_START = "from datwat.cli import main; main()"


class Pair:
    """A served broker and a witness that follows its log."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.broker_port, self.witness_port = free_port(), free_port()
        self.world = World(folder)
        assert self.world.card.broker is not None
        broker = self.world.card.broker.model_copy(
            update={"url": f"http://127.0.0.1:{self.broker_port}"}
        )
        self.world.card = self.world.card.model_copy(update={"broker": broker})
        self.home = folder / "witness"
        words = ["--id", "00000099000000004000:witness", "--name", "witness.test/one"]
        address = ["--url", f"http://127.0.0.1:{self.witness_port}"]
        assert run(["witness", "init", "--home", str(self.home), *words, *address]) == 0
        card = Card.model_validate_json((self.home / "card.json").read_bytes())
        assert card.witness is not None
        self.world.witnesses, self.world.witness_threshold = (card.witness,), 1
        self.world.write_list(1)
        change_settings(self.world.home, {**SOON, "port": self.broker_port})
        self.served: Served = start(self.world, folder / "broker.log")
        stack.callback(lambda: stop(self.served))
        pin = load_settings(BrokerSettings, self.world.home).trust_pin
        change_settings(
            self.home,
            {"trust_list": str(folder / "list.json"), "trust_pin": pin, "port": self.witness_port},
        )
        self.start_witness()

    def start_witness(self) -> None:
        with (self.folder / "witness.log").open("ab") as file:
            words = [sys.executable, "-c", _START, "witness", "serve", "--home", str(self.home)]
            self.witness = subprocess.Popen([*words, "--with-parent"], stdout=file, stderr=file)
        witness = self.witness
        self.stack.callback(_end, witness)
        wait_until_ready(self.home, seconds=100, is_alive=lambda: witness.poll() is None)

    def stop_witness(self) -> None:
        self.witness.terminate()
        self.witness.wait(timeout=20)

    def register(self) -> None:
        person = by_bsn(
            next(NUMBERS),
            registers=registers("debt_counselling"),
            identity="document",
            told_at=now(),
        )
        self.served.ask("debt-counselling", "register", [person], say())

    def fetch(self, path: str) -> httpx.Response:
        return self.served.client.get(f"{self.served.url}/v1/log/{path}")

    def find_cosigned(self, note: bytes) -> Checkpoint | None:
        """Return the checkpoint in a note if the witness vouches for it."""
        log = self.world.card.log
        assert log is not None
        vkeys = [one.vkey for one in self.world.witnesses]
        found = verify_checkpoint(note, log.origin, log.vkeys)
        return found if verify_cosignatures(parse_note(note), vkeys) else None

    def is_covered(self) -> bool:
        """Tell whether the witness vouches for all that the log holds."""
        found = self.find_cosigned(self.fetch("checkpoint").content)
        size = call_party("broker", self.world.home, "status")["log_size"]
        return found is not None and found.size == size


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait(timeout=20)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(tmp_path, stack)


def test_a_witness_follows_and_vouches_and_both_outlive_each_other(pair: Pair) -> None:
    pair.register()
    wait_for(pair.is_covered, 40)
    proof = pair.fetch("proof/0").content
    assert pair.find_cosigned(parse_tlog_proof(proof).checkpoint) is not None
    pair.stop_witness()
    for _ in range(3):
        pair.register()
    wait_for(lambda: _find_failure(pair) == "peer_unreachable")
    pair.start_witness()
    wait_for(pair.is_covered, 40)
    stop(pair.served)
    pair.served = start(pair.world, pair.folder / "broker.log")
    pair.register()
    wait_for(pair.is_covered, 40)
    assert _find_failure(pair) is None
    health = httpx.get(f"http://127.0.0.1:{pair.witness_port}/v1/health", trust_env=False).json()
    assert health["status"] == "ok"


def _find_failure(pair: Pair) -> str | None:
    (witness,) = call_party("broker", pair.world.home, "status")["witnesses"]
    found: str | None = witness["failure"]
    return found
