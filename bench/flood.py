"""One partner floods the broker with what is refused: what the others notice of it.

With the quota that a broker has by default, on which everything else here is measured without one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from bench.figures import Figure
from bench.load import CONNECTIONS, Connection, Run, run_closed, run_open
from bench.meter import measure
from bench.partner import Case, build_requests
from bench.works import Bench, check, prepare_all, prepare_inquiries, shows_all
from broker.settings import BrokerSettings
from datwat.party.settings import change_settings

_UNKNOWN = "0" * 64
_FLOOD = 400
_ASKED = 300
_RATE = 25.0
_LEAD = 0.2
_NAME = "a flood of refusals by one partner"


async def run_beside_flood(
    port: int, flood: Sequence[bytes], honest: Sequence[bytes], rate: float
) -> tuple[Run, int]:
    """Ask the honest questions at their rate while a flood goes on without a pause.

    Returns the honest run, and how many of the flood were turned away meanwhile.
    """
    refused, waiting = 0, itertools.cycle(flood)

    async def pour() -> None:
        nonlocal refused
        connection = await Connection.open(port)
        try:
            for request in waiting:
                status, _ = await connection.send(request)
                refused += status != HTTPStatus.OK
        finally:
            await connection.close()

    flooding = [asyncio.create_task(pour()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(_LEAD)
    try:
        run = await run_open(port, honest, rate)
    finally:
        for task in flooding:
            task.cancel()
        ended = await asyncio.gather(*flooding, return_exceptions=True)
    if not all(isinstance(each, asyncio.CancelledError) for each in ended):
        raise RuntimeError("the flood ended before the questions did")
    return run, refused


async def measure_flood(bench: Bench, cases: Sequence[Case]) -> None:
    """Hold an honest partner's latencies alone against those beside a flood of another's."""
    bench.world.restart_broker(_take_default_rates)
    port, count = bench.world.broker_port, bench.count(_ASKED)
    bsns = cases[0].bsns
    opening = await bench.wmo.prepare_occasion(bsns)
    opened = await run_closed(port, build_requests([opening]))
    theirs = bench.wmo.read_case(bsns, opened.require_ok().answers[0], opening)
    messages = await prepare_inquiries(bench.team, cases, count, by_handle=True)
    alone = await run_open(port, build_requests(messages), _RATE)
    check(bench.team, messages, alone.require_ok(), shows_all)
    messages = await prepare_inquiries(bench.team, cases, count, by_handle=True)
    flood = await prepare_all(
        [bench.wmo.prepare_inquiry(theirs, by_handle=True, digest=_UNKNOWN) for _ in range(_FLOOD)]
    )
    with measure(bench.world.pids) as usage:
        beside, refused = await run_beside_flood(
            port, build_requests(flood), build_requests(messages), _RATE
        )
    check(bench.team, messages, beside.require_ok(), shows_all)
    before, after = alone.quantile(0.99), beside.quantile(0.99)
    bench.add(Figure(_NAME, "turned away by its quota", refused / usage.seconds, "/s"))
    bench.add(Figure(_NAME, f"an honest partner's p99 alone, {_RATE:.0f}/s", before, "ms"))
    bench.add(Figure(_NAME, "its p99 beside the flood", after, "ms"))
    bench.add(Figure(_NAME, "p99 beside it / alone", after / before, "×", 2))


def _take_default_rates(home: Path) -> None:
    fields = BrokerSettings.model_fields
    names = ("rate_per_second", "rate_burst")
    change_settings(home, {name: fields[name].default for name in names})
