"""What a release takes beyond a direct call for the same facts of the same clients.

Rule: both ways at the same low rate, so that nobody waits for others, and each answer is opened and
must hold the same facts as the other way's. The difference is broker, OPA, log and gateway.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.load import Run, build_request, run_closed, run_open
from bench.others import await_port, find_pointers
from bench.partner import FIELDS, PRODUCT, Case
from bench.works import Bench, prepare_all, send
from bench.world import SOURCE
from connectors.client.outgoing import Sent
from demo.covenant import find_ports

_RATE = 10.0
_RELEASES = 100
_OVERHEAD_MS = 4.0
_FEW = 0.01
_NAME = "release, beside a direct call"


async def measure_overhead(bench: Bench, cases: Sequence[Case]) -> None:
    """Ask a source directly and by releases; raise RuntimeError where the facts differ."""
    cases = cases[: bench.count(_RELEASES)]
    with open_direct(bench.world.covenant.partners[SOURCE].home) as port:
        await await_port(port)
        requests = [_build_direct(f"D-{bench.bsns.index(case.bsns[0])}") for case in cases]
        await run_closed(port, requests)  # whoever serves it is warm, as the gateway is by now
        direct = (await run_open(port, requests, _RATE)).require_ok()
    source = bench.world.covenant.partners[SOURCE].id
    pointers = await find_pointers(bench, cases)
    messages = await prepare_all(
        [
            bench.team.prepare_release(case, pointer, source)
            for case, pointer in zip(cases, pointers, strict=True)
        ]
    )
    released, _ = await send(bench, messages, rate=_RATE)
    same = _count_same(bench, messages, released, direct)
    if not same:
        raise RuntimeError("no release gave what the source gives directly")
    # A release that was refused is quicker than one that was not: then there is no figure.
    is_done = same >= (1 - _FEW) * len(messages)
    overhead = released.median - direct.median if is_done else math.nan
    bench.add(Figure(_NAME, "the same facts", same * 100 / len(messages), "%", 100, at_least=True))
    bench.add(Figure(_NAME, f"p50 at {_RATE:g}/s, released", released.median, "ms"))
    bench.add(Figure(_NAME, f"p50 at {_RATE:g}/s, directly", direct.median, "ms"))
    bench.add(Figure(_NAME, "its own overhead, p50", overhead, "ms", _OVERHEAD_MS))


def _build_direct(number: str) -> bytes:
    question = {"product": PRODUCT, "number": number, "fields": FIELDS}
    return build_request("/facts", json.dumps(question).encode())


def _count_same(bench: Bench, messages: Sequence[Sent], released: Run, direct: Run) -> int:
    """Return how many releases hold what was read directly; raise for one that holds else."""
    source, same = bench.world.covenant.partners[SOURCE].id, 0
    for sent, sealed, plain in zip(messages, released.answers, direct.answers, strict=True):
        facts: dict[str, Any] = json.loads(plain)["values"]
        values = bench.team.open_release(sealed, sent, source)
        if values is None:
            continue
        if values != facts:
            raise RuntimeError("a release holds other facts than its source gives directly")
        same += 1
    return same


@contextlib.contextmanager
def open_direct(home: Path) -> Iterator[int]:
    """Yield the port where the sources of the partner in `home` are served without a broker."""
    (port,) = find_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "bench.direct", str(port), str(home)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)
