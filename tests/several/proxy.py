"""A TCP proxy of the tests: what the network between a party and its server does when it is bad.

It passes on, delays, throttles, says nothing, cuts what is open (RST) and refuses what is new. The
loop runs in a thread of its own; its methods may be called from any thread and wait for the deed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

_CHUNK = 65_536
_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time: the other side gets a reset
_SECONDS = 10.0
_T = TypeVar("_T")


class Proxy:
    """Stands before one port of this machine; use it as a context manager."""

    def __init__(self, target: int) -> None:
        """Pass connections on to port `target`."""
        self.target = target
        self.port = 0
        self.opened = 0
        self.cut_count = 0
        self._delay = 0.0
        self._rate: float | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flows = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._flows.set()
        self.accept()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def through(self, url: str) -> str:
        """Return the URL of the server behind it with the proxy's port."""
        return url.replace(f":{self.target}/", f":{self.port}/")

    def delay(self, seconds: float) -> None:
        """Let each byte arrive so much later, both ways; 0: at once."""
        self._delay = seconds

    def throttle(self, rate: float | None) -> None:
        """Let so many bytes per second through, each way of each connection; None: all."""
        self._rate = rate

    def hang(self) -> None:
        """Take in what is sent, and new connections, and pass nothing on either way."""
        self._do(self._set_flows(flows=False))

    def flow(self) -> None:
        """Pass everything on again, also what was kept back."""
        self._do(self._set_flows(flows=True))

    def cut(self) -> int:
        """Reset every connection on both sides; return how many there were."""
        return self._do(self._cut())

    def refuse(self) -> None:
        """Have new connections refused, as where nobody listens."""
        self._do(self._refuse())

    def accept(self) -> None:
        """Take new connections."""
        self._do(self._accept())

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _set_flows(self, *, flows: bool) -> None:
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _accept(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0)  # what was taken just now asks for its server once, and fails
            server.close()  # without one, half made and never closed

    async def _cut(self) -> int:
        found = list(self._open)
        for writer in found:
            _reset(writer)
        self._open.clear()
        self.cut_count += len(found) // 2
        return len(found) // 2

    async def _close(self) -> None:
        await self._refuse()
        own = asyncio.current_task()
        # The loop's own tasks too, which are taking connections just now: those end by themselves.
        while others := asyncio.all_tasks() - {own}:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        await self._cut()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Know of a connection before its task begins: one that never does is closed as well."""
        self._open.add(writer)
        self.opened += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            await self._flows.wait()
            from_there, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(there)
            await asyncio.gather(self._pass(reader, there), self._pass(from_there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    self._open.discard(one)
                    _reset(one)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one way on until its end; what is read now is written when its time has come."""
        kept: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1_000)
        writing = asyncio.ensure_future(self._write(kept, writer))
        try:
            chunk = b"."
            while chunk:
                chunk = await reader.read(_CHUNK)
                await kept.put((self._loop.time() + self._delay, chunk))
            await writing
        finally:
            writing.cancel()
            with suppress(OSError, asyncio.CancelledError):
                await writing

    async def _write(
        self, kept: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await kept.get()
            await asyncio.sleep(due - self._loop.time())
            await self._flows.wait()
            if not chunk:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()
            if self._rate is not None:
                await asyncio.sleep(len(chunk) / self._rate)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()
