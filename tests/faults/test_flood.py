"""One partner floods the broker with what is refused; the others hardly notice.

Whole (`make test-long`) the honest partner's p99 may at most double; in part only what no noise of
the machine changes is held: nobody but the flooder is refused, and the tree does not grow with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bench.flood import run_beside_flood
from bench.load import build_request, run_open
from connectors.client.outgoing import ROUTES, Person, Sent
from datwat.protocol.acts import Statement
from tests.connectors.client.bsns import BSNS
from tests.faults.world import NOOR, Direct, FaultCovenant, Seen, open_child

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked"), pytest.mark.long]
_FLOOD = 400
_BURST = 200
_RATE = 20
_HONEST_PER_SECOND = 8.0


def _build(partner: Direct, child: Seen, count: int, **purpose: str) -> list[Sent]:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": {**partner.purpose(), **purpose}, "rung": "dat"}
    return [
        partner.build("inquire", [Person(handle=child.handle)], statement, **extra)
        for _ in range(count)
    ]


def _requests(messages: Sequence[Sent]) -> list[bytes]:
    return [build_request(ROUTES[sent.act], sent.wire) for sent in messages]


async def test_a_flood_of_refusals_by_one_partner(
    asked: FaultCovenant,
    whole: bool,
) -> None:
    count = 200 if whole else 48
    port = asked.broker.running.ports["api"]
    with Direct(asked, "social-team") as team, Direct(asked, "debt-counselling") as flooder:
        ours, theirs = open_child(team, BSNS[9]), open_child(flooder, BSNS[10], must_see=False)
        # Each is signed shortly before it is sent: a message is soon too old.
        honest = _requests(_build(team, ours, count))
        alone = (await run_open(port, honest, _HONEST_PER_SECOND)).require_ok()
        honest = _requests(_build(team, ours, count))
        flood = _requests(_build(flooder, theirs, _FLOOD, digest="0" * 64))
    size = asked.entry_count
    beside, refused = await run_beside_flood(port, flood, honest, _HONEST_PER_SECOND)
    assert refused >= 16, "what is over the quota is turned away, each connection in turn"
    beside.require_ok()
    grown = asked.entry_count - size - count
    assert grown <= _BURST + _RATE * (beside.seconds + 2), "what is over the quota is not written"
    if whole:
        assert beside.quantile(0.99) <= 2 * alone.quantile(0.99)
