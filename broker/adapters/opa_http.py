"""Keep-alive connections to one OPA, for decisions only: a request goes out whole, bytes come back.

Rules enforced: only status 200 with a body that the parser saw end, of bounded size, is an answer;
no redirect is followed; a connection that was given up on, that said more than was asked, or that
says it will close is never asked again, so that no answer can reach another question; nothing here
shows the bearer token, in an error or otherwise. Parsing is httptools' (llhttp, strict): RFC 9112.
Why this beside opa-python-client: docs/decisions/0012.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import cast

import httptools

from datwat.protocol.errors import DatwatError

MOST_BYTES = 1_048_576
# As in aiohttp: what lies idle for longer may have been closed by the other side just now.
IDLE_SECONDS = 15.0
MOST_CONNECTIONS = 100
_OK = 200
_TOKEN = re.compile(r"[\x21-\x7e]+")


class OpaTokenError(DatwatError):
    """A bearer token that no header can hold."""

    code = "opa_token"
    default_detail = (
        "The token for OPA must be printable ASCII on one line: write secrets/opa.token anew, "
        "without spaces and without a line end."
    )


class OpaHttpError(Exception):
    """No answer: whatever the reason, it carries nothing of what was sent or received."""


class _Connection(asyncio.Protocol):
    """One connection, which carries one question at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[bytes] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._has_ended = False
        self._refused = False
        self.idle_since = 0.0
        self.is_usable = True

    def ask(self, request: bytes, loop: asyncio.AbstractEventLoop) -> asyncio.Future[bytes]:
        """Send a request and return what its answer will be set on."""
        self._parts, self._size = [], 0
        self._has_ended = self._refused = False
        waiter: asyncio.Future[bytes] = loop.create_future()
        if self._transport is None:
            waiter.set_exception(OpaHttpError())
            return waiter
        self._waiter = waiter
        self._transport.write(request)
        return waiter

    def abort(self) -> None:
        """Close at once; what still comes is for nobody."""
        self.is_usable = False
        self._waiter = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # nobody asked
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refused = True
        if self._refused:
            self.give_up()
        elif self._has_ended:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(b"".join(self._parts))

    def eof_received(self) -> None:
        self.is_usable = False

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self.give_up()

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        self._refused |= self._has_ended  # a second answer to one question

    def on_headers_complete(self) -> None:
        self._refused |= self._parser.get_status_code() != _OK
        self.is_usable &= self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        self._refused |= self._size > MOST_BYTES
        if not self._refused:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        self._has_ended = True

    def give_up(self) -> None:
        """Close at once, and tell who waits that there is no answer."""
        waiter = self._waiter
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(OpaHttpError())


class OpaHttp:
    """The connections to one OPA; at most a hundred, opened as needed."""

    def __init__(self, host: str, port: int, *, token: str, tls: bool = False) -> None:
        """Keep where OPA is; raise OpaTokenError for a token that no header can hold."""
        if not _TOKEN.fullmatch(token):
            raise OpaTokenError
        name = f"[{host}]" if ":" in host else host
        self._address = (host, port)
        self._context = ssl.create_default_context() if tls else None
        self._head = (
            f"?provenance=true HTTP/1.1\r\nHost: {name}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)

    def __repr__(self) -> str:
        """Show nothing: the head of a request holds the token."""
        return "OpaHttp()"

    async def post(self, path: str, body: bytes) -> bytes:
        """Return the body of OPA's answer to `body` at a constant path; set your own deadline.

        Raises OpaHttpError or OSError where there is none.
        """
        request = f"POST {path}{self._head}{len(body)}\r\n\r\n".encode("ascii") + body
        loop = asyncio.get_running_loop()
        async with self._places:
            connection = self._find_idle(loop.time()) or await self._connect(loop)
            try:
                answer = await connection.ask(request, loop)
            except BaseException:
                # Also where the deadline passed: the late answer must not meet another question.
                self._drop(connection)
                raise
            self._give_back(connection, loop.time())
            return answer

    def close(self) -> None:
        """Close every connection; a question that waits for an answer gets none. Idempotent."""
        self._idle.clear()
        while self._open:
            self._open.pop().give_up()

    def _find_idle(self, now: float) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            self._drop(connection)
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        _, connection = await loop.create_connection(_Connection, *self._address, ssl=self._context)
        self._open.add(connection)
        return connection

    def _give_back(self, connection: _Connection, now: float) -> None:
        if not connection.is_usable:
            self._drop(connection)
            return
        connection.idle_since = now
        self._idle.append(connection)

    def _drop(self, connection: _Connection) -> None:
        self._open.discard(connection)
        connection.abort()
