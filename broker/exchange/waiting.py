"""The same bytes at the same moment: asked once, answered to all who sent them.

Rule: a question that is on its way is not lived a second time; other bytes under its id are
refused at once. What was answered before is found in the ledger, not here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from broker.exchange.errors import TooManyRacesError
from datwat.party.problems import InternalError
from datwat.party.spent import RidReusedError
from datwat.protocol.errors import DatwatError

Key = tuple[str, bytes]


class Waiting:
    """What is being answered in this process, by issuer and `rid`."""

    def __init__(self) -> None:
        self._running: dict[Key, tuple[bytes, asyncio.Future[bytes]]] = {}

    async def share(
        self, key: Key, request_hash: bytes, answer: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Return what `answer` gives, or wait for the one that runs for these very bytes.

        Raises RidReusedError where other bytes are being answered under this key.
        """
        running = self._running.get(key)
        if running is not None:
            if running[0] != request_hash:
                raise RidReusedError
            return await asyncio.shield(running[1])
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._running[key] = (request_hash, future)
        try:
            given = await answer()
        except BaseException as error:
            future.set_exception(_choose_error(error))
            future.exception()  # nobody else may be waiting for it
            raise
        else:
            future.set_result(given)
            return given
        finally:
            del self._running[key]


def _choose_error(error: BaseException) -> DatwatError:
    """Return what those are told who share a question that ended with this error."""
    if isinstance(error, DatwatError):
        return error
    # Whoever asked first has gone away: nothing stands against asking again.
    return TooManyRacesError() if isinstance(error, asyncio.CancelledError) else InternalError()
