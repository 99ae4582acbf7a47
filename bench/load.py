"""The load generator: prepared bodies over raw keep-alive connections, to 127.0.0.1 only.

Rule: nothing is signed, parsed or built while the clock runs. Closed loop: each connection sends
the next body as soon as it has its answer (capacity). Open loop: bodies arrive at random moments
at a fixed mean rate, and a latency counts from the moment of arrival, so that a slow answer cannot
hold back the next question (no coordinated omission): also where this process itself was late, or
where every connection was in use.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import statistics
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CONNECTIONS = 16
MOST_CONNECTIONS = 200
_SECONDS = 30.0
_OK = 200
_SEED = 20_260_302


@dataclass
class Run:
    """What a run gave: latencies in seconds, answers in the order of the bodies, statuses."""

    seconds: float
    latencies: list[float]
    answers: list[bytes] = field(repr=False)
    statuses: list[int]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Return the latency that this share of the answers does not pass, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000

    @property
    def median(self) -> float:
        """The median latency in milliseconds."""
        return statistics.median(self.latencies) * 1_000

    @property
    def refused(self) -> list[int]:
        """The places of the bodies that were not answered with 200."""
        return [place for place, status in enumerate(self.statuses) if status != _OK]

    def require_ok(self) -> Run:
        """Return the run; raise RuntimeError, with the first problem, unless all were answered."""
        for place in self.refused:
            message = f"an answer was {self.statuses[place]}: {self.answers[place][:300]!r}"
            raise RuntimeError(message)
        return self


class Connection:
    """One keep-alive connection, opened again where the party closed it while nothing was asked."""

    def __init__(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._port = port
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to a port of this machine."""
        return cls(port, *await asyncio.open_connection(HOST, port, limit=2**20))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; return status and body of its answer."""
        if self._reader.at_eof():
            await self.close()
            self._reader, self._writer = await asyncio.open_connection(
                HOST, self._port, limit=2**20
            )
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(head[9:12]), await self._reader.readexactly(length)

    async def close(self) -> None:
        """Close it."""
        self._writer.close()
        await self._writer.wait_closed()


def build_request(path: str, body: bytes) -> bytes:
    """Return the bytes of one POST request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run_closed(
    ports: int | Sequence[int], requests: Sequence[bytes], connections: int = CONNECTIONS
) -> Run:
    """Send every request, as fast as `connections` at once are answered, by each port in turn."""
    count, turns = min(connections, len(requests)), _cycle(ports)
    pool = [await Connection.open(next(turns)) for _ in range(count)]
    found = _Found(len(requests))
    waiting = deque(range(len(requests)))

    async def work(connection: Connection) -> None:
        while waiting:
            number = waiting.popleft()
            began = time.perf_counter()
            found.note(number, began, *await connection.send(requests[number]))

    try:
        async with asyncio.timeout(_SECONDS * 4):
            gc.collect()
            found.began = time.perf_counter()
            await asyncio.gather(*map(work, pool))
        return found.build()
    finally:
        for connection in pool:
            await connection.close()


async def run_open(ports: int | Sequence[int], requests: Sequence[bytes], rate: float) -> Run:
    """Send every request at a random moment of its own, `rate` a second on average."""
    pool, found = _Pool(ports), _Found(len(requests))
    await pool.fill(CONNECTIONS)

    async def ask(number: int, due: float) -> None:
        found.note(number, due, *await pool.send(requests[number]))

    gaps = random.Random(_SEED)  # noqa: S311 - arrivals, no secret; the same in each run
    try:
        patience = len(requests) / rate + _SECONDS * 4
        async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
            gc.collect()
            found.began = due = time.perf_counter()
            for number in range(len(requests)):
                due += gaps.expovariate(rate)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(ask(number, due))
        return found.build()
    finally:
        await pool.close()


async def run_thinking(
    port: int, people: Sequence[Sequence[bytes]], think: float, seconds: float
) -> tuple[list[bytes], Run]:
    """Let each of these people go through their requests again and again; return what was asked.

    Everybody waits for an answer and then thinks for so many seconds on average, at random. A new
    connection each time, and its making counts: a browser's own has been closed by then.
    """
    pauses = random.Random(_SEED)  # noqa: S311 - pauses, no secret; the same in each run
    asked: list[bytes] = []
    taken: list[tuple[float, int, bytes]] = []
    began = time.perf_counter()

    async def live(requests: Sequence[bytes]) -> None:
        due = began + pauses.uniform(0, think)
        for request in itertools.cycle(requests):
            if due > began + seconds:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            since = time.perf_counter()
            connection = await Connection.open(port)
            status, answer = await connection.send(request)
            taken.append((time.perf_counter() - since, status, answer))
            asked.append(request)
            await connection.close()
            due = time.perf_counter() + pauses.expovariate(1 / think)

    async with asyncio.timeout(seconds + _SECONDS * 4):
        await asyncio.gather(*map(live, people))
    latencies, statuses, answers = (list(column) for column in zip(*taken, strict=True))
    return asked, Run(time.perf_counter() - began, latencies, answers, statuses)


class _Pool:
    """Connections of an open loop: another one where all are in use, up to a bound; then it waits.

    Who waits is asked later than it was due, and that counts.
    """

    def __init__(self, ports: int | Sequence[int]) -> None:
        self._turns = _cycle(ports)
        self._opened: list[Connection] = []
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)

    async def fill(self, count: int) -> None:
        for _ in range(count):
            self._idle.append(await self._open())

    async def send(self, request: bytes) -> tuple[int, bytes]:
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._open()
            answer = await connection.send(request)
            self._idle.append(connection)
            return answer

    async def close(self) -> None:
        for connection in self._opened:
            await connection.close()

    async def _open(self) -> Connection:
        connection = await Connection.open(next(self._turns))
        self._opened.append(connection)
        return connection


def _cycle(ports: int | Sequence[int]) -> Iterator[int]:
    return itertools.cycle([ports] if isinstance(ports, int) else ports)


class _Found:
    """Gathers the answers of a run."""

    def __init__(self, count: int) -> None:
        self.began = 0.0
        self._latencies = [0.0] * count
        self._answers = [b""] * count
        self._statuses = [0] * count

    def note(self, number: int, began: float, status: int, answer: bytes) -> None:
        self._latencies[number] = time.perf_counter() - began
        self._answers[number] = answer
        self._statuses[number] = status

    def build(self) -> Run:
        seconds = time.perf_counter() - self.began
        return Run(seconds, self._latencies, self._answers, self._statuses)
