"""Releases asked of four processes at once are delivered, whichever process the source heard last.

The log grows under each order, and a witness must vouch for it: none of that is a reason to fail.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.client.outgoing import Sent
from datwat.protocol.answers import ReleasePart
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.world import Seen, build_release, open_child
from tests.parties import Party, run_command
from tests.postgres import OwnServer
from tests.several.conftest import build_partners, open_covenant
from tests.several.world import Asking, WitnessedCovenant, await_true, require_contiguous

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several-releases"),
    pytest.mark.timeout(600),  # eleven processes start
]

_RELEASES = 120
_AT_ONCE = 16
# One by a guess, one under a head of the own process, one under the head that the source named:
# then no other order overtakes it. More only where the source names one from before the order.
_FEW_TRIES = 3


class VouchedCovenant(WitnessedCovenant):
    """A covenant of which a witness must vouch for the log before a source gives anything."""

    def __init__(self, folder: Path, *args: Any, **more: Any) -> None:  # noqa: ANN401 - those of SeveralCovenant
        super().__init__(folder, *args, **more)
        for broker in self.brokers:
            broker.environment["DATWAT_WITNESS_SECONDS"] = "0.5"
        run_command("trust", "require-witnesses", "1", "--folder", str(self.trust))
        self.sign()


@pytest.fixture(scope="module")
def witnessed(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    ratchet_server: OwnServer,
    own_system: OwnSystem,
) -> Iterator[VouchedCovenant]:
    folder, servers = tmp_path_factory.mktemp("witnessed"), (postgres_url, ratchet_server.url)
    partners = build_partners(own_system)
    with open_covenant(VouchedCovenant, folder, servers, partners, count=4) as covenant:
        yield covenant


@pytest.fixture(scope="module")
def children(witnessed: VouchedCovenant) -> list[Seen]:
    with Asking(witnessed, "social-team") as team:
        return [open_child(team, bsn) for bsn in BSNS[:8]]


def test_all_releases_are_delivered_whichever_process_is_asked(
    witnessed: VouchedCovenant, children: list[Seen]
) -> None:
    await_true(
        lambda: (witnessed.brokers[0].status["cosigned_size"] or 0) > 0, 90.0, "not vouched for"
    )
    source = witnessed.partners["youth-help"].id
    with Asking(witnessed, "social-team") as team:
        messages = [build_release(team, children[at % 8], source) for at in range(_RELEASES)]

        def ask(at: int, sent: Sent) -> str | None:
            answer = team.verify(team.send_to(witnessed.brokers[at % 4], sent), sent)
            part = answer.persons[0].part
            assert isinstance(part, ReleasePart)
            return part.failure if answer.envelope is None else None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failures = Counter(pool.map(ask, range(_RELEASES), messages))
    # A busy machine may pass the two seconds of an order; nothing else is a reason.
    assert set(failures) <= {None, "source_too_slow"}, failures
    assert failures[None] >= _RELEASES // 10, failures
    require_contiguous(witnessed)
    tries = count_tries(witnessed.partners["youth-help"])
    assert sum(count > _FEW_TRIES for count in tries) <= len(tries) // 5, Counter(tries)


def count_tries(source: Party) -> list[int]:
    """Return how often each order came, by the trace that all its tries have."""
    lines = source.log.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    tries = Counter(one["trace_id"] for one in events if one.get("route") == "/v1/orders")
    return list(tries.values())
