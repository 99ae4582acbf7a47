"""The way out of what the log of processing activities is told: its own, and nobody waits for it.

Rules: a batch is forgotten only when it was acknowledged; who does not answer is asked again ever
less often; what waits for too long is an alarm in `status`, and so is what does not open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from broker.adapters.ldv_outbox import SqlProcessingLog
from broker.adapters.ldv_targets import Target
from broker.audit.ended import JobLog
from broker.audit.records import Appendable, Job
from datwat.party.telemetry import get_logger, name_failure
from datwat.protocol.errors import DatwatError

_AT_ONCE = 500
_SECONDS = 1.0
_LONGEST_WAIT = 300.0
_log = get_logger("ldv")


class LdvDelivery:
    """Delivers what is due; one round at a time, one object per process."""

    def __init__(
        self,
        outbox: SqlProcessingLog,
        target: Target,
        log: JobLog,
        reading: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], datetime],
        *,
        alarm_seconds: int,
    ) -> None:
        """`log` writes in the log's own turn, `reading` gives a short view of the database."""
        self._outbox = outbox
        self._target = target
        self._log = log
        self._reading = reading
        self._clock = clock
        self._alarm_seconds = alarm_seconds
        self._unreadable = 0
        self._failure: str | None = None

    async def run(self) -> None:
        """Deliver for ever."""
        wait = _SECONDS
        while True:
            await asyncio.sleep(wait)
            try:
                while await self.deliver_some():
                    pass
                wait, self._failure = _SECONDS, None
            except DatwatError as error:
                self._failure = error.code
                wait = min(wait * 2, _LONGEST_WAIT)
                _log.warning("ldv_not_delivered", code=error.code)
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                self._failure = "internal_error"
                wait = min(wait * 2, _LONGEST_WAIT)
                _log.warning("ldv_round_failed", exception=name_failure(error))

    async def deliver_some(self) -> bool:
        """Tell one batch, and say whether there may be more; raise where it was not taken."""
        now = self._clock()
        with self._reading() as conn:
            due = self._outbox.fetch_due(conn, now, _AT_ONCE)
        if due.unreadable:
            self._unreadable += len(due.unreadable)
            _log.error("ldv_rows_unreadable", count=len(due.unreadable))
            await self._write(lambda conn: self._outbox.put_off(conn, due.unreadable, now))
        if due.rows:
            await self._target.send([record for _, record in due.rows])
            ids = [row_id for row_id, _ in due.rows]
            await self._write(lambda conn: self._outbox.remove(conn, ids))
        return len(due.rows) + len(due.unreadable) == _AT_ONCE

    def build_status(self) -> dict[str, Any]:
        """Return what `status` says of it."""
        now = self._clock()
        with self._reading() as conn:
            waiting, oldest = self._outbox.read_state(conn, now)
        seconds = int((now - oldest).total_seconds()) if oldest else 0
        return {
            "ldv_waiting": waiting,
            "ldv_oldest_seconds": seconds,
            "ldv_overdue": seconds > self._alarm_seconds,
            "ldv_unreadable": self._unreadable,
            "ldv_failure": self._failure,
        }

    async def _write(self, write: Callable[[Connection], None]) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            write(conn)
            return []

        await self._log.append(Job(work))
