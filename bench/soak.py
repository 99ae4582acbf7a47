"""Memory and file descriptors over many questions: answered ones, refused ones, and broken ones.

Rule: what grows with each question would show here; what grows to a bound (caches, the first levels
of the tag tree) is over in the first third, which does not count. A figure is the growth of the
straight line through the rest, so that one hiccup of the allocator is no growth.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.load import HOST, build_request, run_closed
from bench.meter import Group, count_files, read_memory
from bench.others import sync_source
from bench.partner import Case, Partner, build_requests, find_pointer
from bench.works import Bench, open_cases, prepare_all, register_all
from bench.world import SOURCE
from connectors.client.outgoing import ROUTES

SECONDS = 1_000.0
PEOPLE = 60
_UNKNOWN = "0" * 64
_ANSWERED, _BY_TICKET, _REFUSED, _RELEASED, _BROKEN = 160, 20, 40, 10, 40
_CONNECTIONS = 8
_PATIENCE = 0.2
_WARM = 3
_MILLION = 1e6
_NAME = "many questions"
# An end by which the other side sees a reset, as when a client is killed.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Sample:
    """What each process held after so many questions."""

    asked: int
    memory: dict[str, float]
    files: dict[str, int]


@dataclass(frozen=True)
class Growth:
    """Of one process: MiB and descriptors from after the warm-up to the end, by a straight line."""

    memory: float
    files: float
    per_million: float


def derive_growth(samples: Sequence[Sample], name: str) -> Growth:
    """Return how much a process grew in the last two thirds; raise ValueError for too few."""
    rest = samples[len(samples) // _WARM :]
    if len(rest) < _WARM:
        raise ValueError("a line needs three samples after the warm-up")
    asked = [float(sample.asked) for sample in rest]
    whole = asked[-1] - asked[0]
    memory = statistics.linear_regression(asked, [sample.memory[name] for sample in rest]).slope
    files = statistics.linear_regression(asked, [sample.files[name] for sample in rest]).slope
    return Growth(memory * whole, files * whole, memory * _MILLION)


async def soak(bench: Bench, cases: Sequence[Case], seconds: float) -> list[Sample]:
    """Ask for so long; return a sample after each round.

    Raises RuntimeError where what is right is not answered, or what is wrong is.
    """
    samples: list[Sample] = []
    asked, until = 0, time.monotonic() + seconds
    pointers = await _find_pointers(bench, cases[:_RELEASED])
    while time.monotonic() < until or len(samples) < 2 * _WARM:
        asked += await _ask_round(bench, cases, pointers)
        samples.append(_take(bench, asked))
    return samples


async def open_soaked(bench: Bench) -> list[Case]:
    """Register the persons of this bench, by a source's sync too, and open an occasion of each."""
    await register_all(bench, bench.bsns)
    sync_source(bench)
    return await open_cases(bench, [(bsn,) for bsn in bench.bsns])


async def measure_soak(bench: Bench, cases: Sequence[Case], seconds: float) -> None:
    """Add what each process grew by over a soak."""
    samples = await soak(bench, cases, seconds)
    bench.add(
        Figure(_NAME, "asked, a quarter of them refused or broken", samples[-1].asked, "rows")
    )
    for name in samples[-1].memory:
        growth, held = derive_growth(samples, name), samples[-1].memory[name]
        bench.add(Figure(_NAME, f"{name}: memory at the end", held, "MiB"))
        bench.add(Figure(_NAME, f"{name}: memory grown", growth.memory, "MiB", 24))
        bench.add(Figure(_NAME, f"{name}: descriptors grown", growth.files, "files", 4, gate=True))


async def _find_pointers(bench: Bench, cases: Sequence[Case]) -> list[tuple[Case, bytes]]:
    source = bench.world.covenant.partners[SOURCE].id
    messages = await prepare_all([bench.team.prepare_inquiry(case) for case in cases])
    run = await run_closed(bench.world.broker_port, build_requests(messages), _CONNECTIONS)
    answers = [
        bench.team.verify(answer, sent)
        for answer, sent in zip(run.require_ok().answers, messages, strict=True)
    ]
    return [
        (case, find_pointer(answer, source)) for case, answer in zip(cases, answers, strict=True)
    ]


async def _ask_round(
    bench: Bench, cases: Sequence[Case], pointers: Sequence[tuple[Case, bytes]]
) -> int:
    """Send one mixture of everything; return how many questions that were."""
    team, port = bench.team, bench.world.broker_port
    source = bench.world.covenant.partners[SOURCE].id
    turns = [cases[number % len(cases)] for number in range(_ANSWERED)]
    right = await prepare_all(
        [team.prepare_inquiry(case, by_handle=True) for case in turns]
        + [team.prepare_inquiry(case) for case in turns[:_BY_TICKET]]
        + [team.prepare_release(case, pointer, source) for case, pointer in pointers]
    )
    wrong = await prepare_all(
        [team.prepare_inquiry(case, by_handle=True, digest=_UNKNOWN) for case in turns[:_REFUSED]]
    )
    answered, refused, _ = await asyncio.gather(
        run_closed(port, build_requests(right), _CONNECTIONS),
        run_closed(port, build_requests(wrong), _CONNECTIONS),
        break_many(port, await build_broken(team, cases[0])),
    )
    # OPA may be late on a machine that others use: a denial, and rare.
    if len(answered.refused) > len(right) / 10:
        answered.require_ok()
    for sent, answer in zip(wrong, refused.require_ok().answers, strict=True):
        if team.verify(answer, sent).persons[0].part.weighing.permitted:
            raise RuntimeError("a question under a purpose that nobody published was permitted")
    return len(right) + len(wrong) + _BROKEN


async def build_broken(team: Partner, case: Case) -> list[bytes]:
    """Return requests that are none: each kind in turn, `_BROKEN` in all."""
    sent = await team.prepare_inquiry(case, by_handle=True)
    path, whole = ROUTES[sent.act], build_request(ROUTES[sent.act], sent.wire)
    middle = len(whole) // 2
    kinds = [
        b"\x00\xff\x16\x03 no HTTP at all\r\n\r\n",
        b"",
        whole[:middle],
        whole[:middle] + b"\xff" + whole[middle + 1 :],
        build_request(path, b"[" * 5_000),
        build_request(path, b'{"v":1}'),
        build_request("/v1/no-such-route", b"{}"),
        whole.replace(b"Content-Length: ", b"Content-Length: 9"),
        b"POST " + path.encode() + b" HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        build_request(path, bytes(2**20 + 1)),
    ]
    return [kinds[number % len(kinds)] for number in range(_BROKEN)]


async def break_many(port: int, requests: Sequence[bytes]) -> None:
    """Send each over a connection of its own, and end every other one with a reset."""
    slots = asyncio.Semaphore(_CONNECTIONS)

    async def one(number: int, request: bytes) -> None:
        async with slots:
            await _throw(port, request, resets=number % 2 == 0)

    await asyncio.gather(*(one(number, request) for number, request in enumerate(requests)))


async def _throw(port: int, request: bytes, *, resets: bool) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    if resets:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        writer.write(request)
        if not resets and request:
            async with asyncio.timeout(_PATIENCE):
                await reader.read(2**16)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _take(bench: Bench, asked: int) -> Sample:
    pids = {name: pid for name, pid in bench.world.pids.items() if not isinstance(pid, Group)}
    return Sample(
        asked,
        {name: read_memory(pid) for name, pid in pids.items()},
        {name: count_files(pid) for name, pid in pids.items()},
    )
