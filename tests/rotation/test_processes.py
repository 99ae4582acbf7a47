"""A rotation from begin to end in a running covenant: no request fails for it, nobody is lost."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient, ConnectorProblem
from datwat.cli import run as run_datwat
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.databases import read_rows
from tests.faults.world import (
    NOOR,
    PURPOSE,
    RIGHTS,
    FaultCovenant,
    local_member,
    local_opening,
)
from tests.parties import PartnerSpec, run_command

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("rotation"), pytest.mark.timeout(300)]

KNOWN = 300
SECONDS = 60.0


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultCovenant]:
    folder = tmp_path_factory.mktemp("rotation")
    system = OwnSystem(folder)
    for place in range(KNOWN):
        system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
    )
    with FaultCovenant(folder, partners) as made:
        with made.connect("youth-help") as source:
            state = source.sync(rq.Sync(professional=NOOR))
        assert (state.registered, state.failures) == (KNOWN, {})
        yield made


class Load:
    """A team that goes on looking people up, each for the first time, and asks who is involved."""

    def __init__(self, covenant: FaultCovenant) -> None:
        self._covenant = covenant
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]
        self.failures: list[str] = []
        self.known = 0
        self.strangers = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        with self._covenant.connect("social-team") as team:
            while not self._stop.is_set():
                number = next(self._numbers)
                is_known = number % 3 != 0
                try:
                    self._ask(team, number, number % KNOWN if is_known else KNOWN + number // 3)
                except (ConnectorProblem, AssertionError) as error:
                    self.failures.append(f"{number}: {error}")

    def _ask(self, team: ConnectorClient, number: int, place: int) -> None:
        occasion, client = f"A-{number}", f"C-{number}"
        opened = team.open_occasion(local_opening(occasion, local_member(client, place)))
        assert opened.results[0].weighing.permitted
        refs = (rq.ClientRef(client=client),)
        question = rq.Ask(professional=NOOR, clients=refs, occasion=occasion, purpose=PURPOSE)
        (result,) = team.ask_who_is_involved(question).results
        kinds = [pointer.kind for pointer in result.pointers]
        if place < KNOWN:
            assert kinds == ["youth_help"], kinds
            self.known += 1
        else:
            assert kinds == [], kinds
            self.strangers += 1

    def await_more(self, count: int = 10) -> None:
        """Wait until so many more were asked about, or a failure is there to be seen."""
        before = self.known + self.strangers
        await_true(lambda: bool(self.failures) or self.known + self.strangers >= before + count)


def await_true(found: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.1)


def rotate(covenant: FaultCovenant, what: str, *more: str) -> dict[str, Any]:
    home = ("--home", str(covenant.key_holder.home))
    return run_command("keyholder", "rotate", what, *home, *more)


def sign_card(covenant: FaultCovenant) -> int:
    """Have the key holder's card signed in, and wait until key holder and broker go by it."""
    card = str(covenant.key_holder.home / "card.json")
    run_command("trust", "add", card, "--folder", str(covenant.trust))
    seq = int(run_command("trust", "sign", "--folder", str(covenant.trust))["seq"])
    for party in (covenant.key_holder, covenant.broker):
        home = str(party.home)
        await_true(
            lambda command=party.command, home=home: (  # type: ignore[misc]
                run_command(command, "status", "--home", home)["list_seq"] == seq
            )
        )
    return seq


def read_broker(covenant: FaultCovenant) -> dict[str, Any]:
    return run_command("broker", "status", "--home", str(covenant.broker.home))


def test_no_request_fails_for_a_rotation(
    covenant: FaultCovenant, capsys: pytest.CaptureFixture[str]
) -> None:
    with Load(covenant) as load:
        load.await_more()
        begun = rotate(covenant, "begin")
        assert (begun["leaving"], begun["current"], begun["epochs"]) == (1, 2, [1, 2])
        assert "sign" in begun["what_to_do"]
        load.await_more()
        sign_card(covenant)
        await_true(lambda: rotate(covenant, "status")["rotation"] == "turned")
        load.await_more()
        covenant.broker.kill()
        covenant.broker.restart()
        load.await_more()
        home = ["--home", str(covenant.key_holder.home)]
        assert run_datwat(["keyholder", "rotate", "begin", *home]) == 1
        assert "runs already" in capsys.readouterr().err
        assert run_datwat(["keyholder", "rotate", "finish", *home]) == 1
        assert "--at-once" in capsys.readouterr().err
        ended = rotate(covenant, "finish", "--at-once")
        assert (ended["rotation"], ended["epochs"]) == ("ended", [2])
        await_true(lambda: read_broker(covenant)["rotation"] == "none")
        load.await_more()
        sign_card(covenant)
        load.await_more(30)
    assert load.failures == []
    assert load.known > 30
    assert load.strangers > 10
    found = read_broker(covenant)
    assert (found["pseudonym_epoch"], found["rotation_failure"]) == (2, None)
    persons = KNOWN + load.strangers
    rows = read_rows(covenant.broker.home, "SELECT epoch, count(*) FROM pseudonyms GROUP BY epoch")
    assert rows == [(2, persons)]
    secrets = covenant.key_holder.home / "secrets"
    assert [path.name for path in secrets.glob("scalar-*")] == ["scalar-2"]
