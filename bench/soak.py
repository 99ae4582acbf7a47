"""Memory and file descriptors over many questions: answered ones, refused ones, and broken ones.

Rule: what grows with each question would show here. What grows to a bound does not count: the log's
cache of 65,536 nodes (two an entry) is full after some 40,000 questions, and those, or the first
third, are left out. The first levels of the tree over all tags are held apart: they are the only
memory that a broker maps to be shared, so the kernel counts them by themselves, and their size is
known. A figure is the growth of the straight line through the rest, so that one hiccup of the
allocator is no growth.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from bench.figures import Figure
from bench.load import HOST, build_request, run_closed
from bench.meter import Group, count_files, read_private, read_shared
from bench.others import sync_source
from bench.partner import Case, Partner, build_requests, find_pointer
from bench.works import Bench, open_cases, prepare_all, register_all
from bench.world import SOURCE
from connectors.client.outgoing import ROUTES
from datwat.party.tag_index import PAGE_BITS
from datwat.protocol.tag_tree import TAG_LENGTH

SECONDS = 1_000.0
PEOPLE = 60
_UNKNOWN = "0" * 64
_ANSWERED, _BY_TICKET, _REFUSED, _RELEASED, _BROKEN = 160, 20, 40, 10, 40
_CONNECTIONS = 8
_PATIENCE = 0.2
DATABASE = "database"
INDEX_MEBIBYTES = (TAG_LENGTH << (PAGE_BITS + 1)) / 2**20
"""What the first levels of the tree over all tags take once every page of them was written."""

MOST_GROWN = 24.0
# Some 115 were measured of a broker whose caches were full, in which Python's objects, malloc's and
# SQLite's use stayed as they were: free memory between what is used. Where 200 bytes are kept of
# each question, this is passed; OPA's heap, which moves by some MiB, does not pass it.
MOST_PER_MILLION = 200.0
_WARM = 3
_WARM_ASKED = 40_000
_MILLION = 1e6
_NAME = "many questions"
# An end by which the other side sees a reset, as when a client is killed.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Sample:
    """What each process held after so many questions, in MiB and file descriptors.

    `tags` is apart from `memory`: what each broker maps for the first levels of the tags. `files`
    of the database's server are its connections.
    """

    asked: int
    memory: dict[str, float]
    files: dict[str, int]
    tags: dict[str, float]


@dataclass(frozen=True)
class Growth:
    """Of one process: MiB and descriptors from after the warm-up to the end, by a straight line."""

    memory: float
    files: float
    per_million: float


def derive_growth(samples: Sequence[Sample], name: str) -> Growth:
    """Return how much a process grew after the warm-up; raise ValueError for too few samples."""
    rest = samples[len(samples) // _WARM :]
    # A shorter run has nothing but the warm-up: then the caches are in the figure.
    rest = [sample for sample in rest if sample.asked > _WARM_ASKED] or rest
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
    last = samples[-1]
    bench.add(Figure(_NAME, "asked, a quarter of them refused or broken", last.asked, "rows"))
    for name, held in last.memory.items():
        growth = derive_growth(samples, name)
        what = "connections" if name == DATABASE else "descriptors"
        bench.add(Figure(_NAME, f"{name}: memory at the end", held, "MiB"))
        bench.add(Figure(_NAME, f"{name}: memory grown", growth.memory, "MiB", MOST_GROWN))
        if is_long(samples):  # while caches fill, nothing is said of a million
            rate, most = growth.per_million, MOST_PER_MILLION
            bench.add(Figure(_NAME, f"{name}: grown per million", rate, "MiB", most, gate=True))
        bench.add(Figure(_NAME, f"{name}: {what} grown", growth.files, "files", 4, gate=True))
    for name, tags in last.tags.items():
        own = f"{name}: first levels of the tags, beside that"
        bench.add(Figure(_NAME, own, tags, "MiB", INDEX_MEBIBYTES + 1, gate=True))


def is_long(samples: Sequence[Sample]) -> bool:
    """Tell whether half of what was asked came after every cache was full."""
    return samples[-1].asked >= 2 * _WARM_ASKED


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
    team, ports = bench.team, bench.world.broker_ports
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
        run_closed(ports, build_requests(right), _CONNECTIONS),
        run_closed(ports, build_requests(wrong), _CONNECTIONS),
        break_many(ports, await build_broken(team, cases[0])),
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


async def break_many(ports: Sequence[int], requests: Sequence[bytes]) -> None:
    """Send each over a connection of its own, and end every other one with a reset."""
    slots = asyncio.Semaphore(_CONNECTIONS)

    async def one(number: int, request: bytes) -> None:
        async with slots:
            # In pairs, so that each port gets resets and each kind of request.
            port = ports[number // 2 % len(ports)]
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
    pids, server = bench.world.pids, bench.world.server
    single = list_processes(pids)
    memory = {name: read_private(pid) for name, pid in single.items()}
    files = {name: count_files(pid) for name, pid in single.items()}
    tags = {name: read_shared(pid) for name, pid in single.items() if name.startswith("broker")}
    if server is not None:
        memory[DATABASE] = read_private(pids[DATABASE])
        files[DATABASE] = _count_connections(server.url)
    return Sample(asked, memory, files, tags)


def list_processes(pids: Mapping[str, int | Group]) -> dict[str, int]:
    """Return every process by itself: those of a group have numbers; without a database's."""
    found: dict[str, int] = {}
    for name, pid in pids.items():
        if isinstance(pid, int):
            found[name] = pid
        elif not pid.with_children:
            found |= {f"{name} {number}": one for number, one in enumerate(pid.pids, start=1)}
    return found


def _count_connections(url: str) -> int:
    """Return how many connections a server has, this one too."""
    counted = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    with psycopg.connect(url) as connection:
        row = connection.execute(counted).fetchone()
    if row is None:
        raise LookupError("a server did not say how many connections it has")
    return int(row[0])
