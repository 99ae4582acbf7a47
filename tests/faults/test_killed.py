"""The broker killed between every two steps: nothing leaves without an entry, nothing twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.client.outgoing import Person, Sent
from datwat.protocol.acts import Statement
from datwat.protocol.messages import OutcomeCore
from tests.connectors.client.bsns import BSNS
from tests.databases import read_rows
from tests.faults.killing_broker import arm
from tests.faults.world import (
    NOOR,
    Direct,
    FaultCovenant,
    Seen,
    build_release,
    open_child,
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-broken")]

BEFORE_LOG = (
    "Life._gather:before",
    "Life._weigh:before",
    "Life._prepare:before",
    "Life._log:before",
)
# Written, and from here on nothing is weighed again.
WRITTEN = ("Signer.sign:before",)
UNDERWAY = (
    "HandOver._send:before",
    "HttpGateways.send_order:after",
    "HandOver._append_outcome:after",
)


@pytest.fixture(scope="module")
def child(broken: FaultCovenant) -> Seen:
    with Direct(broken, "social-team") as team:
        return open_child(team, BSNS[0])


def die(team: Direct, sent: Sent, point: str, act: str) -> None:
    """Send a message at which the broker dies."""
    broker, kill_file = team.covenant.broker, team.covenant.kill_file
    arm(kill_file, point, act)
    with pytest.raises(httpx.TransportError):
        team.send(sent)
    assert broker.process is not None
    assert broker.process.wait(timeout=10) == -9
    assert not kill_file.exists()


def orders(covenant: FaultCovenant) -> list[tuple[int, bytes]]:
    """Return place and tag of every order that the source accepted."""
    home = covenant.partners["youth-help"].home
    return read_rows(home, "SELECT log_index, tag FROM gateway_orders")


@pytest.mark.parametrize("point", [*BEFORE_LOG, *WRITTEN, *UNDERWAY])
def test_a_release_is_written_once_and_ordered_never_without_its_entry(
    broken: FaultCovenant, broken_team: Direct, child: Seen, point: str
) -> None:
    sent = build_release(broken_team, child, broken.partners["youth-help"].id)
    size, given = broken.entry_count, len(orders(broken))
    die(broken_team, sent, point, "" if point.startswith("Signer") else "release")
    growth = {"Life": 0, "Signer": 1, "HandOver": 1, "HttpGateways": 1}[
        point.split(".", maxsplit=1)[0]
    ]
    growth += point in ("Life._log:after", "HandOver._append_outcome:after")
    assert broken.entry_count == size + growth
    # What the source was given has its entry, whatever the broker was at.
    assert len(orders(broken)) - given == (point in UNDERWAY[1:])
    for index, tag in orders(broken):
        (entry,) = read_rows(
            broken.broker.home, "SELECT entry FROM log_entries WHERE idx = :index", index=index
        )
        assert entry[0][2:34] == tag
    broken.broker.restart()
    answer = broken_team.verify(broken_team.send(sent), sent)
    core = answer.persons[0].core
    assert isinstance(core, OutcomeCore)
    assert core.failure is None
    assert answer.envelope is not None
    assert broken.entry_count == size + 2
    assert len(orders(broken)) == given + 1
    again = broken_team.verify(broken_team.send(sent), sent)
    assert (again.persons, again.envelope) == (answer.persons, answer.envelope)
    assert broken.entry_count == size + 2


@pytest.mark.parametrize("point", ["Life._weigh:after", "Life._log:after"])
def test_an_inquiry_is_written_once_and_answered_the_same(
    broken: FaultCovenant, broken_team: Direct, child: Seen, point: str
) -> None:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": broken_team.purpose(), "rung": "dat"}
    sent = broken_team.build("inquire", [Person(handle=child.handle)], statement, **extra)
    size = broken.entry_count
    die(broken_team, sent, point, "inquire")
    assert broken.entry_count == size + (point == "Life._log:after")
    broken.broker.restart()
    answer = broken_team.verify(broken_team.send(sent), sent)
    assert len(answer.persons[0].part.pointers) == 1  # type: ignore[union-attr] # an inquiry's
    assert broken.entry_count == size + 1
    again = broken_team.verify(broken_team.send(sent), sent)
    assert again.persons == answer.persons
    assert broken.entry_count == size + 1
