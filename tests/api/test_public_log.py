"""A served broker as outsiders see it: cosigned checkpoints, tag roots, health, a refused start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from datwat.party.admin import call_party
from datwat.party.settings import change_settings
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint, verify_cosignatures
from datwat.protocol.entry import EntryType, derive_leaf_hash, parse_entry
from datwat.protocol.merkle import derive_root
from datwat.protocol.notes import parse_note
from datwat.protocol.tag_tree import Leaf, derive_tag_root
from datwat.protocol.tiles import decode_bundle, derive_width
from tests.api.conftest import Served, start, stop
from tests.audit.witnesses import TestWitness
from tests.databases import copy_database
from tests.exchange.world import World, bsns, by_bsn, now, registers, say
from tests.party.web import serving

pytestmark = pytest.mark.processes
NUMBERS = bsns()
SOON = {"witness_seconds": 1, "tag_root_seconds": 1}


class Watched:
    """A served broker with one witness, whose word is needed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.world = World(folder)
        log = self.world.card.log
        assert log is not None
        self.log = log
        self.witness = TestWitness("witness.test/one", log)
        self.url = stack.enter_context(serving(self.witness.build_app()))
        self.world.witnesses = (self.witness.list_at(self.url),)
        self.world.witness_threshold = 1
        self.world.write_list(1)
        change_settings(self.world.home, SOON)
        self.served: Served = start(self.world, folder / "log")
        stack.callback(lambda: stop(self.served))

    def register(self) -> None:
        person = by_bsn(
            next(NUMBERS),
            registers=registers("debt_counselling"),
            identity="document",
            told_at=now(),
        )
        self.served.ask("debt-counselling", "register", [person], say())

    def fetch(self, path: str) -> bytes:
        response = self.served.client.get(f"{self.served.url}/v1/log/{path}")
        assert response.status_code == 200, response.text
        return response.content

    def fetch_shown(self) -> Checkpoint:
        """Return the checkpoint shown, once its cosignature was checked."""
        note = self.fetch("checkpoint")
        words = verify_cosignatures(parse_note(note), [self.world.witnesses[0].vkey])
        assert [word.name for word in words] == [self.witness.name]
        return verify_checkpoint(note, self.log.origin, self.log.vkeys)

    def fetch_entries(self, size: int) -> list[bytes]:
        width = derive_width(None, 0, size)
        return decode_bundle(self.fetch(f"tile/entries/000.p/{width}"), width)

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.served.client.get(self.served.url + "/v1/health").json()
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(tmp_path, stack)


def wait_for(check: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.1)


def _has_root(watched: Watched) -> bool:
    shown = watched.fetch_shown()
    kinds = [parse_entry(entry).type for entry in watched.fetch_entries(shown.size)]
    return EntryType.TAG_ROOT in kinds


def test_an_outsider_can_follow_what_is_shown(watched: Watched) -> None:
    for _ in range(3):
        watched.register()
    wait_for(lambda: watched.health()["cosignatures"] == 1)
    wait_for(lambda: _has_root(watched))
    shown = watched.fetch_shown()
    entries = watched.fetch_entries(shown.size)
    assert derive_root(map(derive_leaf_hash, entries)) == shown.root
    leaves: list[Leaf] = []
    for index, entry in enumerate(map(parse_entry, entries)):
        if entry.type is EntryType.PERSON:
            leaves.append((entry.ref, index))
        elif entry.type is EntryType.TAG_ROOT:
            size = int.from_bytes(entry.ref[:8], "big")
            below = sorted(leaf for leaf in leaves if leaf[1] < size)
            assert derive_tag_root(below) == entry.hash
    assert len(leaves) == 3
    health = watched.health()
    assert 0 <= health["checkpoint_seconds_ago"] < 10
    status = call_party("broker", watched.world.home, "status")
    assert (status["cosignatures"], status["cosigned_size"]) == (1, shown.size)
    assert status["witnesses"][0]["failure"] is None
    assert status["tag_root_size"] > 0
    # A witness that stays away is said, and what it vouched for last stays what is shown.
    watched.witness.mood = "broken"
    watched.register()
    wait_for(lambda: _find_failure(watched) == "witness_refused")
    assert watched.fetch_shown().size <= status["log_size"] + 1
    # Without a word of a witness the log goes on, and after a restart it is shown as it was.
    last = watched.fetch_shown()
    stop(watched.served)
    watched.served = start(watched.world, watched.world.folder / "log")
    assert watched.fetch_shown() == last


def _find_failure(watched: Watched) -> str | None:
    found: str | None = call_party("broker", watched.world.home, "status")["witnesses"][0][
        "failure"
    ]
    return found


def _try_to_serve(world: World) -> str:
    """Start the broker and return what it says when it refuses."""
    words = [sys.executable, "-c", "from datwat.cli import main; main()", "broker", "serve"]
    found = subprocess.run(
        [*words, "--home", str(world.home)], capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == 1
    (said,) = [line for line in found.stderr.splitlines() if not line.startswith("{")] or [""]
    return said


def test_a_database_put_back_with_its_ratchet_is_refused_by_what_witnesses_saw(
    watched: Watched,
) -> None:
    home = watched.world.home
    ratchet, kept = home / "ratchet" / "ratchet", home / "kept"
    watched.register()
    wait_for(lambda: watched.health()["cosignatures"] == 1)
    stop(watched.served)
    copy_database(home, kept)
    copied = ratchet.read_bytes()
    watched.served = start(watched.world, watched.world.folder / "log")
    watched.register()
    seen = watched.witness.vouched.size
    wait_for(lambda: watched.witness.vouched.size > seen)
    stop(watched.served)
    copy_database(kept, home)
    ratchet.write_bytes(copied)
    said = _try_to_serve(watched.world)
    assert "behind what the log signed before" in said
    # Without the witness nobody can know; it comes back, and the running broker stops.
    watched.witness.shown, shown = None, watched.witness.shown
    watched.served = start(watched.world, watched.world.folder / "log")
    watched.witness.shown = shown
    wait_for(lambda: watched.served.process.poll() is not None)
