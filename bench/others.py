"""The work beside the broker's own answers: the yardstick, the key holder, a sync, a release."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import YARDSTICK, Figure
from bench.load import Connection, build_request, run_closed
from bench.meter import measure, read_memory
from bench.partner import Case, Partner, find_pointer
from bench.works import Bench, add_others_cpu, check, prepare_all, send
from bench.world import SOURCE, open_hello
from connectors.client.lookup import build_blinded
from connectors.client.outgoing import build_envelope_members, draw_rid
from connectors.client.verification import VerifiedAnswer
from datwat.party import clock
from datwat.party.admin import call_running
from datwat.protocol.answers import ReleasePart
from datwat.protocol.signing import build_message
from datwat.protocol.values import encode_bytes

_HELLO = b'{"name":"somebody","numbers":[1,2,3,4,5,6,7,8]}'
_BATCH = 100
_START_SECONDS = 60.0
_POLL_SECONDS = 0.1
_TRIES = 5


async def measure_hello(bench: Bench) -> None:
    """Measure the plain FastAPI that ratios are taken to."""
    with open_hello() as (port, pid):
        requests = [build_request("/hello", _HELLO)] * bench.count(8_000)
        await await_port(port)
        await run_closed(port, requests[:200])
        with measure({"hello": pid}) as usage:
            run = await run_closed(port, requests)
    bench.hello_rate = run.rate
    name = YARDSTICK
    bench.hello_cpu = usage.per("hello", len(requests))
    bench.add(Figure(name, "CPU", bench.hello_cpu, "ms"))
    bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))


async def await_port(port: int) -> None:
    """Wait until somebody listens there; raise TimeoutError."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                await (await Connection.open(port)).close()
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return


async def measure_evaluations(bench: Bench) -> None:
    """Ask the key holder for one element at a time, and for batches of a hundred."""
    name = "key holder, evaluate with proof"
    for size, number, target in ((1, 1_000, 0.6), (_BATCH, 30, None)):
        bodies = [
            _build_evaluate(bench.team, bench.bsns[:size]) for _ in range(bench.count(number))
        ]
        requests = [build_request("/v1/evaluations", body) for body in bodies]
        with measure(bench.world.pids) as usage:
            run = await run_closed(bench.world.key_holder_port, requests)
        run.require_ok()
        cpu = usage.per("key holder", len(requests) * size)
        if target is not None:
            bench.add(Figure(name, "CPU, single", cpu, "ms", target, gate=True))
            bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))
        else:
            bench.add(Figure(name, "CPU per element, batch of 100", cpu, "ms", 0.2))


def _build_evaluate(partner: Partner, bsns: Sequence[str]) -> bytes:
    blinded = build_blinded("inquire", draw_rid(), bsns)
    holder = partner.exchange.directory.trust.key_holder.id
    members = {
        **build_envelope_members("evaluate", partner.id, holder, clock.now(), draw_rid()),
        "has_statement": False,
        "has_ticket": False,
        "request_class": "inquire",
        "for_rid": encode_bytes(blinded.for_rid),
        "elements": [encode_bytes(element) for element in blinded.elements],
    }
    return build_message(members, (), partner.key).to_bytes()


def sync_source(bench: Bench) -> None:
    """Let the source's real connector register its own clients, and measure that."""
    state: dict[str, Any] = {"failures": {}}
    home, rows = str(bench.world.covenant.partners[SOURCE].home), 0
    with measure(bench.world.pids) as usage:
        for _ in range(_TRIES):
            state = call_running(Path(home), "sync_start", by="bench")
            while state["finished_at"] is None:
                time.sleep(_POLL_SECONDS)
                state = call_running(Path(home), "sync_status")["run"]
            # What a message that failed had registered before, is reconfirmed by the next.
            rows = state["registered"] + state["reconfirmed"]
            if rows == len(bench.bsns):
                break
    if rows != len(bench.bsns):
        message = f"the sync registered {rows} rows: {state['failures']}"
        raise RuntimeError(message)
    name = "sync of a connector"
    bench.add(Figure(name, "broker CPU per row", usage.per("broker", rows), "ms"))
    bench.add(Figure(name, "connector CPU per row", usage.per("gateway", rows), "ms"))
    bench.add(Figure(name, "rows", rows / usage.seconds, "/s"))


async def find_pointers(bench: Bench, cases: Sequence[Case]) -> list[bytes]:
    """Ask who is involved in each case; return the reference to the source of each."""
    source = bench.world.covenant.partners[SOURCE].id
    inquiries = await prepare_all([bench.team.prepare_inquiry(case) for case in cases])
    run, _ = await send(bench, inquiries)
    return [
        find_pointer(bench.team.verify(answer, sent), source)
        for answer, sent in zip(run.answers, inquiries, strict=True)
    ]


async def measure_releases(bench: Bench, cases: Sequence[Case]) -> None:
    """Ask the source what it knows: order, gateway, envelope, outcome; the broker's part of it."""
    source = bench.world.covenant.partners[SOURCE].id
    cases = cases[: bench.count(300)]
    pointers = await find_pointers(bench, cases)
    messages = await prepare_all(
        [
            bench.team.prepare_release(case, pointer, source)
            for case, pointer in zip(cases, pointers, strict=True)
        ]
    )
    run, usage = await send(bench, messages)
    delivered = sum(
        _is_delivered(bench.team.verify(answer, sent))
        for answer, sent in zip(run.answers, messages, strict=True)
    )
    if not delivered:
        check(bench.team, messages, run, _is_delivered)
    name, count = "release, through a gateway", len(messages)
    share = delivered * 100 / count
    bench.add(Figure(name, "delivered", share, "%", 100, at_least=True, gate=True))
    bench.add(Figure(name, "broker CPU", usage.per("broker", count), "ms", 1.8, gate=True))
    add_others_cpu(bench, name, usage, count)
    bench.add(Figure(name, "gateway CPU", usage.per("gateway", count), "ms"))
    bench.add(Figure(name, "capacity, 16 at once", run.rate, "/s"))
    ratio = run.rate / bench.hello_rate
    bench.add(Figure(name, "capacity / plain FastAPI", ratio, "×", at_least=True))


def _is_delivered(answer: VerifiedAnswer) -> bool:
    part = answer.persons[0].part
    return isinstance(part, ReleasePart) and part.failure is None and answer.envelope is not None


def measure_memory(bench: Bench) -> None:
    """Read what broker and OPA hold after all this."""
    pids = bench.world.pids
    held = {name: read_memory(pids[name]) for name in ("broker", "opa")}
    total = sum(held.values())
    for name, value in held.items():
        bench.add(Figure("memory", name, value, "MiB"))
    bench.add(Figure("memory", "broker and OPA", total, "MiB", 400, gate=True))
