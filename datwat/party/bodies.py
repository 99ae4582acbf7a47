"""Bodies on their way in: bounded in size, time and memory, and nobody waits for who is slow.

Rules: a body has one deadline from its first byte to its last, however it trickles; what is not
whole yet takes no place among the requests that are answered; where too much is unfinished, the one
that has been on its way longest makes way. An honest body is there in milliseconds, so that who
holds many open holds up nobody but themselves.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.types import Receive

from datwat.party.problems import BodyTooLargeError, BodyTooSlowError

MOST_UNFINISHED = 1_024
MOST_UNFINISHED_BYTES = 67_108_864


class CallerGoneError(Exception):
    """The caller went away before it had sent or taken everything."""


class Bodies:
    """The bodies that are being read; for one event loop."""

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout: timedelta,
        most: int = MOST_UNFINISHED,
        most_bytes: int = MOST_UNFINISHED_BYTES,
    ) -> None:
        """Bound each body by `max_bytes` and `timeout`, and those unfinished by number and sum.

        Beside the sum the server keeps at most 64 KiB of each that was not asked for yet.
        """
        self._max_bytes = max_bytes
        self._seconds = timeout.total_seconds()
        self._most = most
        self._most_bytes = max(most_bytes, max_bytes)
        self._held = 0
        # The bytes that each unfinished body holds, by its deadline; the oldest first.
        self._unfinished: dict[asyncio.Timeout, int] = {}

    async def read(self, receive: Receive) -> bytes:
        """Return the whole body.

        Raises BodyTooLargeError, CallerGoneError, or BodyTooSlowError: past its deadline, or it had
        to make way.
        """
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                self._unfinished[deadline] = 0
                try:
                    return await self._collect(receive, deadline)
                finally:
                    self._forget(deadline)
        except TimeoutError:
            raise BodyTooSlowError from None

    async def _collect(self, receive: Receive, deadline: asyncio.Timeout) -> bytes:
        body = bytearray()
        while True:
            self._make_room()
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallerGoneError
            part = message.get("body", b"")
            if len(body) + len(part) > self._max_bytes:
                raise BodyTooLargeError
            if not message.get("more_body", False):
                return bytes(body + part) if body else part
            body += part
            if deadline in self._unfinished:
                self._unfinished[deadline] += len(part)
                self._held += len(part)

    def _make_room(self) -> None:
        """End those longest on their way until what is unfinished fits."""
        while len(self._unfinished) > self._most or self._held > self._most_bytes:
            oldest = next(iter(self._unfinished))
            self._forget(oldest)
            end_now(oldest)

    def _forget(self, deadline: asyncio.Timeout) -> None:
        self._held -= self._unfinished.pop(deadline, 0)


def end_now(deadline: asyncio.Timeout) -> None:
    """Let a deadline be over; one that is over already, its task not yet told, is left alone."""
    if not deadline.expired():
        deadline.reschedule(asyncio.get_running_loop().time())
