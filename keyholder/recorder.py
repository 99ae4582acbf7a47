"""Spends, charges and records look-ups: many of them per commit.

Rule: nothing leaves before the transaction that charged and recorded it is committed. A commit
waits for the disk; look-ups that arrive meanwhile share the next one. A look-up that is refused in
here (over quota, id used before) is taken out of its transaction, the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from datwat.party.spent import SpentRequests
from datwat.protocol.errors import DatwatError
from keyholder import quotas


class Made(NamedTuple):
    """A look-up that was evaluated, and waits to be charged and recorded."""

    partner: str
    rid: bytes
    request_hash: bytes
    request_class: str
    n: int
    limit: int
    answer: bytes
    now: datetime


class _Waiting(NamedTuple):
    made: Made
    future: asyncio.Future[bytes]


class Recorder:
    """The writer; made and used in one event loop.

    On SQLite it writes in the loop itself, once per turn of the loop: a thread would cost more than
    it saves, as it fights the loop for the interpreter. On a server it waits in a thread.
    """

    def __init__(self, engine: Engine, spent: SpentRequests) -> None:
        self._engine = engine
        self._spent = spent
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._held = engine.connect() if engine.dialect.name == "sqlite" else None

    def close(self) -> None:
        """Let go of the held connection; nobody may be waiting any more."""
        if self._held is not None:
            self._held.close()

    async def record(self, made: Made) -> bytes:
        """Return the answer once it is on disk: the given one, or that of an equal look-up before.

        Raises RidReusedError, QuotaError.
        """
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting.append(_Waiting(made, future))
        if self._held is not None:
            if len(self._waiting) == 1:
                self._loop.call_soon(self._write_here, self._held)
        elif self._task is None:
            self._task = self._loop.create_task(self._write_apart())
        return await future

    def _write_here(self, held: Connection) -> None:
        batch = self._take()
        _tell(batch, self._write(held, batch))

    async def _write_apart(self) -> None:
        while self._waiting:
            batch = self._take()
            _tell(batch, await asyncio.to_thread(self._write_pooled, batch))
        self._task = None

    def _take(self) -> list[_Waiting]:
        batch, self._waiting = self._waiting, []
        return batch

    def _write_pooled(self, batch: Sequence[_Waiting]) -> Sequence[bytes | Exception]:
        try:
            with self._engine.connect() as connection:
                return self._write(connection, batch)
        except Exception as error:  # noqa: BLE001 - no connection to be had: as below
            return [error] * len(batch)

    def _write(
        self, connection: Connection, batch: Sequence[_Waiting]
    ) -> Sequence[bytes | Exception]:
        try:
            with connection.begin():
                return [self._record(connection, waiting.made) for waiting in batch]
        except Exception as error:  # noqa: BLE001 - none of them is on disk: tell every one
            return [error] * len(batch)

    def _record(self, connection: Connection, made: Made) -> bytes | DatwatError:
        """Spend first: who loses a race gets the winner's answer and pays nothing."""
        try:
            earlier = self._spent.spend(
                connection,
                made.partner,
                made.rid,
                made.request_hash,
                answer=made.answer,
                now=made.now,
            )
        except DatwatError as error:  # another look-up has the id: nothing was written
            return error
        if earlier is not None and earlier.answer is not None:
            return earlier.answer
        try:
            quotas.charge(
                connection,
                made.partner,
                made.request_class,
                made.n,
                limit=made.limit,
                now=made.now,
            )
        except DatwatError as error:
            self._spent.release(connection, made.partner, made.rid)
            return error
        return made.answer


def _tell(batch: Sequence[_Waiting], results: Sequence[bytes | Exception]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        if waiting.future.done():  # its caller went away; it is recorded all the same
            continue
        if isinstance(result, Exception):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)
