"""A witness that is away, slow or lies: the log goes on, and what is shown stays good.

One broker, served; one witness, whose word is needed, that behaves in one way after another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from datwat.party.admin import call_party
from datwat.party.settings import change_settings
from datwat.protocol.checkpoint import Checkpoint, build_cosignature
from datwat.protocol.cosigning import AddCheckpoint
from tests.api.conftest import Served, start, stop
from tests.api.test_public_log import Watched, wait_for
from tests.audit.witnesses import TestWitness
from tests.exchange.world import World
from tests.party.web import serving

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("log-witnesses"),
    pytest.mark.timeout(400),
]

ANSWERED_WITHIN = 5.0
LIES = {
    "broken": "witness_refused",
    "endless": "peer_answer_invalid",
    "ahead": "witness_ahead",
    "never content": "witness_ahead",
    "forging": "checkpoint_signature_invalid",
    "of another time": "cosigning_form",
    "of another log": "checkpoint_signature_invalid",
    "of another root": "checkpoint_signature_invalid",
    "slow": "peer_too_slow",
}


class Witness(TestWitness):
    """One more way to lie: a cosignature of a tree of the same size with another root."""

    def _vouch(self, asked: AddCheckpoint, checkpoint: Checkpoint) -> Response:
        if self.mood != "of another root":
            return super()._vouch(asked, checkpoint)
        other = checkpoint.model_copy(update={"root": bytes(32)})
        line = build_cosignature(other.text, self.name, self.key, int(time.time()))
        return Response(line.text, media_type="text/plain; charset=utf-8")


class Overseen(Watched):
    """A served broker whose witness can behave in any way, and be away."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.world = World(folder)
        log = self.world.card.log
        assert log is not None
        self.log = log
        self.witness = Witness("witness.test/one", log)
        self.listening = stack.enter_context(ExitStack())
        self.url = self.listening.enter_context(serving(self.witness.build_app()))
        self.world.witnesses = (self.witness.list_at(self.url),)
        self.world.witness_threshold = 1
        self.world.write_list(1)
        change_settings(self.world.home, {"witness_seconds": 1, "tag_root_seconds": 1})
        self.served: Served = start(self.world, folder / "log")
        stack.callback(lambda: stop(self.served))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = call_party("broker", self.world.home, "status")
        return found

    @property
    def failure(self) -> str | None:
        found: str | None = self.status()["witnesses"][0]["failure"]
        return found

    def is_covered(self) -> bool:
        found = self.status()
        return bool(
            found["cosigned_size"] == found["log_size"] and found["tag_root_size"] is not None
        )


@pytest.fixture(scope="module")
def overseen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overseen]:
    with ExitStack() as stack:
        made = Overseen(tmp_path_factory.mktemp("overseen"), stack)
        made.register()
        yield made


def require_going_on(overseen: Overseen, failure: str) -> None:
    """Check that the log goes on without the witness, and what is shown and said meanwhile."""
    good = overseen.fetch_shown()
    for _ in range(3):
        began = time.monotonic()
        overseen.register()  # answered with a receipt that holds
        assert time.monotonic() - began < ANSWERED_WITHIN
    wait_for(lambda: overseen.failure == failure, 40)
    said = overseen.status()
    assert said["log_size"] >= good.size + 3
    assert overseen.fetch_shown() == good
    assert (said["cosigned_size"], said["checkpoint_size"]) == (good.size, good.size)
    assert overseen.fetch(f"proof/{good.size - 1}")
    waited = said["cosigned_seconds_ago"]
    time.sleep(1.1)
    assert overseen.status()["cosigned_seconds_ago"] > waited
    assert overseen.health()["status"] == "ok"


@pytest.mark.long
@pytest.mark.parametrize("mood", LIES)
def test_a_witness_that_lies_or_waits_holds_up_nobody(
    overseen: Overseen, mood: str, whole: bool
) -> None:
    if not whole and mood == "slow":
        pytest.skip("done by make test-long: it takes as long as the witness may")
    wait_for(overseen.is_covered, 40)
    overseen.witness.mood = mood
    require_going_on(overseen, LIES[mood])
    overseen.witness.mood = "honest"
    wait_for(overseen.is_covered, 40)
    assert overseen.failure is None


def test_a_witness_that_is_away_holds_up_nobody(overseen: Overseen) -> None:
    """The last test of this module: it does not come back."""
    wait_for(overseen.is_covered, 40)
    overseen.listening.close()
    require_going_on(overseen, "peer_unreachable")
