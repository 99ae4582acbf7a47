"""OPA killed, stopped, or answering nonsense: denied with a clear error, and well again after."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client.http import ConnectorProblem
from connectors.client.outgoing import Person, Sent
from datwat.party.settings import write_secret
from datwat.protocol.acts import Statement
from demo.covenant import find_ports
from tests.connectors.client.bsns import BSNS
from tests.faults.sources import serve
from tests.faults.world import (
    NOOR,
    Direct,
    FaultCovenant,
    Seen,
    build_release,
    local_member,
    local_opening,
    open_child,
)
from tests.stopping import stop_process

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-broken")]


@pytest.fixture(scope="module")
def child(broken: FaultCovenant) -> Seen:
    with Direct(broken, "social-team") as team:
        return open_child(team, BSNS[1])


def find_opa(broken: FaultCovenant) -> int:
    """Return the process that the broker started."""
    broker = broken.broker.running.pid
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text("ascii")
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if int(parent) == broker and state != "Z" and "(opa)" in text:
            return int(stat.parent.name)
    raise AssertionError("the broker has no OPA")


def build_inquiry(team: Direct, child: Seen) -> Sent:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    return team.build("inquire", [Person(handle=child.handle)], statement, **extra)


def require_denied(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "policy_unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "policy engine" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "1"


def send_until_answered(team: Direct, sent: Sent) -> httpx.Response:
    """Send the same bytes until they are not denied any more."""
    until = time.monotonic() + 30
    while (answer := team.send(sent)).status_code == 503 and time.monotonic() < until:
        time.sleep(0.1)
    return answer


def test_killed_it_denies_and_is_started_again(
    broken: FaultCovenant, broken_team: Direct, child: Seen
) -> None:
    sent, size = build_inquiry(broken_team, child), broken.entry_count
    pid = find_opa(broken)
    os.kill(pid, signal.SIGKILL)
    require_denied(broken_team.send(sent))
    assert broken.entry_count == size
    broken_team.verify(send_until_answered(broken_team, sent), sent)
    assert broken.entry_count == size + 1
    assert find_opa(broken) != pid


def test_stopped_it_denies_in_time_and_goes_on_after(
    broken: FaultCovenant, broken_team: Direct, child: Seen
) -> None:
    source = broken.partners["youth-help"].id
    asked = [build_inquiry(broken_team, child), build_release(broken_team, child, source)]
    size, pid = broken.entry_count, find_opa(broken)
    stop_process(pid)
    try:
        for sent in asked:
            began = time.monotonic()
            require_denied(broken_team.send(sent))
            assert time.monotonic() - began < 3
    finally:
        os.kill(pid, signal.SIGCONT)
    assert broken.entry_count == size
    for sent in asked:
        broken_team.verify(send_until_answered(broken_team, sent), sent)
    assert broken.entry_count == size + 3
    assert find_opa(broken) == pid


@pytest.fixture
def external(broken: FaultCovenant) -> Iterator[int]:
    """Return the port at which the broker looks for an OPA that somebody else runs."""
    (port,) = find_ports(1)
    broker = broken.broker
    if not (broker.home / "secrets" / "opa.token").exists():
        write_secret(broker.home, "opa.token", b"a-token-of-another-opa")
    broker.environment["DATWAT_OPA_URL"] = f"http://127.0.0.1:{port}"
    broker.stop()
    broker.restart()
    yield port
    del broker.environment["DATWAT_OPA_URL"]
    broker.stop()
    broker.restart()


def say(answer: bytes, _path: str, _body: bytes) -> tuple[int, bytes]:
    return 200, answer


def test_nonsense_from_an_opa_elsewhere_is_a_denial(
    broken: FaultCovenant, broken_team: Direct, child: Seen, external: int
) -> None:
    size = broken.entry_count
    sent = build_inquiry(broken_team, child)
    require_denied(broken_team.send(sent))  # nothing listens there yet
    for nonsense in (b"{}", b"", b"\xff garbage", b"true", b'{"result": {"permit": true}}'):
        with serve(external, partial(say, nonsense)) as came:
            require_denied(broken_team.send(sent))
            assert came
    with broken.connect("social-team") as team, pytest.raises(ConnectorProblem) as caught:
        team.open_occasion(local_opening("P-1", local_member("P-1", 2)))
    assert (caught.value.status, caught.value.code) == (502, "peer_refused")
    assert "policy_unavailable" in caught.value.detail
    assert broken.entry_count == size


def test_after_all_that_it_works(broken: FaultCovenant, broken_team: Direct, child: Seen) -> None:
    sent = build_release(broken_team, child, broken.partners["youth-help"].id)
    assert broken_team.verify(send_until_answered(broken_team, sent), sent).envelope is not None
