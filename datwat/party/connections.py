"""Connections to a party: nobody keeps one for nothing, and those that are kept have room.

Rules: the head of a request has a deadline and a length; an answer that nobody takes is not kept
for ever; as many connections are open as the system lets, so that silent ones do not use up few.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD_SECONDS = 10.0
_UNTAKEN_MS = 30_000
# What may have come of a head that is not whole: one read (the end of a body may be in it), and
# more than any honest head has.
_MOST_HEAD_BYTES = 262_144 + 65_536
_MOST_HEADERS = 256


class HttpConnection(HttpToolsProtocol):
    """A connection on which a head must be whole within ten seconds from its first byte.

    The first one within ten seconds from the connection on; and it is not kept without end. uvicorn
    itself would wait for ever, keep whatever came, and copy a long line anew with each read of it.
    """

    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; hang up on a head that has become too long and is not whole yet."""
        super().data_received(data)
        self._head_bytes = 0 if self._head is None else self._head_bytes + len(data)
        is_long = self._head_bytes > _MOST_HEAD_BYTES
        if is_long or (self._head is not None and len(self.headers or ()) > _MOST_HEADERS):
            self.transport.close()

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Go on to the gate, which bounds the body."""
        self._forget_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._forget_head()
        self._head = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def allow_connections() -> None:
    """Let this process have as many files open as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # what it has is enough for honest use
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def drop_untaken(listening: socket.socket) -> None:
    """Have the kernel end each accepted connection whose other side takes nothing (Linux only)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listening.setsockopt(socket.IPPROTO_TCP, option, _UNTAKEN_MS)
