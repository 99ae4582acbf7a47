"""What operators do about ends while the broker runs: a round of housekeeping, a backup.

Rule: each answer comes within the patience of a command; who wants more asks again.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from broker.adapters.backup import Backup, make_backup
from broker.adapters.backup_file import BackupError
from broker.adapters.ends_store import SqlEnds
from broker.adapters.purging import count_ended, count_persons
from broker.api.routes import Wake
from broker.commands.officers import ADMINISTRATOR, OfficerCommands
from broker.commands.special_commands import TwoAsked, build_look, read_two
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.protocol.values import encode_moment

_PATIENCE = 15.0
_MOST = 1_000_000
_PAGE = 500


class ErasureAsked(TwoAsked):
    """Two officers who answer the wish for erasure that lies at this index of the log."""

    number: int = Field(ge=0, lt=2**53)


class BackupDesk:
    """Makes one backup at a time, in a thread, and tells how it went."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._running: asyncio.Task[Backup] | None = None

    async def start(self, members: dict[str, Any]) -> dict[str, Any]:
        """Begin a backup to a new file; raise BackupError where one is being made."""
        if self._running is not None and not self._running.done():
            raise BackupError("A backup is being made: wait for it.")
        path = Path(str(members.get("path")))
        recipient = str(members.get("recipient") or self._broker.settings.backup_recipient)
        self._running = asyncio.create_task(asyncio.to_thread(self._make, path, recipient))
        return await self.wait({})

    async def wait(self, _members: dict[str, Any]) -> dict[str, Any]:
        """Wait for the backup for a while; `done` says whether it is whole."""
        if self._running is None:
            raise BackupError("No backup is being made.")
        done, _ = await asyncio.wait([self._running], timeout=_PATIENCE)
        if not done:
            return {"done": False}
        made = self._running.result()
        return {
            "done": True,
            "log_size": made.size,
            "bytes": made.length,
            "made_at": encode_moment(made.made_at),
        }

    def _make(self, path: Path, recipient: str) -> Backup:
        broker = self._broker
        return make_backup(
            broker.database,
            path,
            recipient=recipient,
            kek=broker.secrets.kek,
            row_key=broker.secrets.row_key,
            now=broker.rooms.clock(),
        )


def build_ends_commands(broker: Broker, wake_outbox: Wake) -> dict[str, Command]:
    """Return the commands `housekeep`, `housekeep_due`, `backup`, `backup_wait` and `erase`."""
    desk, officers = BackupDesk(broker), OfficerCommands(broker)

    async def housekeep(_members: dict[str, Any]) -> dict[str, Any]:
        broker.sharing.require_house()
        before, until, more = broker.housekeeper.done.copy(), time.monotonic() + _PATIENCE, True
        while more and time.monotonic() < until:
            more = await broker.housekeeper.run_round()
        done = {name: n - before[name] for name, n in broker.housekeeper.done.items()}
        failed = sorted(broker.housekeeper.failed)
        return {"more": more, "failed": failed, "ended": {k: n for k, n in done.items() if n}}

    async def due(_members: dict[str, Any]) -> dict[str, Any]:
        return {"due": await asyncio.to_thread(count_due, broker)}

    async def erase(members: dict[str, Any]) -> dict[str, Any]:
        asked = read_two(ErasureAsked, members)
        await officers.require_second(ADMINISTRATOR, asked.second_by)
        answer = await broker.erasures.answer(asked.number, build_look(asked))
        wake_outbox()
        return {
            "wish": asked.number,
            "outcome": answer.outcome,
            "contents": answer.contents,
            "law": answer.law,
            "kept_until": encode_moment(answer.kept_until) if answer.kept_until else None,
            "answered_before": answer.before,
        }

    return {
        "housekeep": housekeep,
        "housekeep_due": due,
        "backup": desk.start,
        "backup_wait": desk.wait,
        "erase": erase,
    }


def count_due(broker: Broker) -> dict[str, int]:
    """Return how much of each kind is due now; changes nothing.

    `persons` are those about whom something ends, `persons_over` those of whom nothing is left.
    """
    now, registers = broker.rooms.clock().replace(microsecond=0), broker.rooms.registers
    generation, over = broker.ends.generations.list_due(now)
    with broker.store.reading() as conn:
        return {
            "persons": count_persons(conn, now),
            "persons_over": _count_over(conn),
            "contents": SqlEnds().count_due(conn, now),
            "lost_to_tell": len(SqlEnds().list_lost(conn, _MOST)),
            "pointers": len(registers.involvements.list_expired(conn, now, _MOST)),
            "special_situations": len(registers.special_situations.list_due(conn, now, _MOST)),
            **count_ended(conn, now),
            "kek_generations_to_start": int(generation),
            "kek_generations_to_destroy": len(over),
        }


def _count_over(conn: Connection) -> int:
    count, after, more = 0, b"", True
    while more:
        over, after = SqlEnds().list_over(conn, after, _PAGE)
        count, more = count + len(over), bool(after)
    return count


def build_ends_status(broker: Broker) -> dict[str, Any]:
    """Return the housekeeper's lines of `status`."""
    keeper, now = broker.housekeeper, broker.rooms.clock()
    settings, last = broker.settings, keeper.last_at
    lag = timedelta(days=settings.backup_days)
    oldest = broker.ends.generations.read_lag(now)
    return {
        "housekeeping_at": encode_moment(last) if last else None,
        "housekeeping_failed": sorted(keeper.failed),
        "housekeeping_ended": " ".join(f"{k}={n}" for k, n in sorted(keeper.done.items()) if n),
        "erasure_lag_days": lag.days,
        "kek_oldest_days": oldest.days,
        "kek_overdue": oldest > lag + timedelta(days=1),
    }
