"""A rotation in several processes of one broker: each asks for δ, and all agree on who it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any

import pytest

from connectors.client.outgoing import Person
from datwat.protocol.acts import Statement
from datwat.protocol.answers import ActPart
from tests.conftest import open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.world import NOOR, RIGHTS, build_registers
from tests.parties import PartnerSpec, run_command
from tests.party.covenant import now
from tests.postgres import own_server
from tests.several.world import Asking, BrokerProcess, SeveralCovenant, await_true

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("rotation"),
    pytest.mark.timeout(300),
]
SECONDS = 60.0


@pytest.fixture
def covenant(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[SeveralCovenant]:
    folder = tmp_path_factory.mktemp("rotation-several")
    system = OwnSystem(folder)
    partners = (PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),)
    with (
        own_server() as other,
        open_database(postgres_url) as database,
        open_database(other.url) as ratchet,
        SeveralCovenant(folder, partners, database=database, ratchet=ratchet, count=2) as made,
    ):
        yield made


def register(source: Asking, broker: BrokerProcess, bsn: str) -> bytes:
    """Register somebody by a fresh look-up at one process; return their handle."""
    members: dict[str, Any] = {"identity": "document", "told_at": now()}
    person = Person(bsn=bsn, members={**members, "registers": build_registers()})
    sent = source.build("register", [person], Statement(professional=NOOR))
    part = source.verify(source.send_to(broker, sent), sent).persons[0].part
    assert isinstance(part, ActPart)
    assert part.handle is not None
    return part.handle


def register_at_once(source: Asking, brokers: Sequence[BrokerProcess], bsn: str) -> bytes:
    """Do it eight times at once, spread over the processes; return the one handle."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda one: register(source, one, bsn), islice(cycle(brokers), 8))
    (handle,) = set(found)
    return handle


def rotate(covenant: SeveralCovenant, what: str, *more: str) -> dict[str, Any]:
    home = ("--home", str(covenant.key_holder.home))
    return run_command("keyholder", "rotate", what, *home, *more)


def sign_card(covenant: SeveralCovenant) -> None:
    card = str(covenant.key_holder.home / "card.json")
    run_command("trust", "add", card, "--folder", str(covenant.trust))
    seq = run_command("trust", "sign", "--folder", str(covenant.trust))["seq"]
    for broker in covenant.brokers:
        await_true(lambda one=broker: one.status["list_seq"] == seq, SECONDS, "list")  # type: ignore[misc]


def test_two_processes_turn_and_find_together(covenant: SeveralCovenant) -> None:
    brokers, numbers = covenant.brokers, iter(BSNS[100:])
    with Asking(covenant, "youth-help") as source:
        known = {bsn: register(source, brokers[0], bsn) for bsn in islice(numbers, 20)}
        rotate(covenant, "begin")
        sign_card(covenant)
        state = "begun"
        while state != "turned":
            for bsn, broker in zip(list(known), cycle(brokers), strict=False):
                assert register(source, broker, bsn) == known[bsn]
            stranger = next(numbers)
            known[stranger] = register_at_once(source, brokers, stranger)
            state = rotate(covenant, "status")["rotation"]
        assert {one.status["rotation"] for one in brokers} == {"turned"}
        brokers[1].kill()
        brokers[1].restart()
        for bsn, handle in known.items():
            assert register(source, brokers[1], bsn) == handle
        rotate(covenant, "finish", "--at-once")
        for broker in brokers:
            await_true(lambda one=broker: one.status["rotation"] == "none", SECONDS, "end")  # type: ignore[misc]
        sign_card(covenant)
        for bsn, broker in zip(known, cycle(brokers), strict=False):
            assert register(source, broker, bsn) == known[bsn]
    rows = covenant.read("SELECT epoch, count(*) FROM pseudonyms GROUP BY epoch")
    assert rows == [(2, len(known))]
