"""What the log stated to this gateway: its newest checkpoint and the roots of the last 1,024.

Rules: a checkpoint is accepted once it is proved to fit all accepted before; that is durable before
an order is carried out, and the ratchet keeps the newest outside the database: a restored backup
does not make a gateway forget. A fork stops it until a person clears the alarm. A log's next
generation has another origin, and begins anew.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from connectors.gateway.errors import AlarmUnknownError, GatewayStoppedError
from connectors.gateway_tables import gateway_alarms, gateway_roots
from datwat.party.ratchet import Ratchet, RatchetAlarmError
from datwat.party.telemetry import get_logger
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.order import Consistency
from datwat.protocol.order_checks import require_consistent
from datwat.protocol.order_errors import LogForkedError

ROOTS_KEPT = 1_024
_log = get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that nobody has cleared: the size and root held, and the note that contradicts it.

    Without a note nothing contradicts it: too few witnesses vouch for what is held.
    """

    number: int
    raised_at: int
    held_size: int | None
    held_root: bytes | None
    checkpoint: bytes = field(repr=False)


class LogMemory:
    """The durable memory of one log after another; safe from several threads."""

    def __init__(self, engine: Engine, ratchet: Ratchet) -> None:
        self._engine = engine
        self._ratchet = ratchet
        # Two that are each proved from the newest need not fit each other.
        self._one_by_one = threading.Lock()

    def require_running(self) -> None:
        """Raise GatewayStoppedError while an alarm stands."""
        if self.find_alarm() is not None:
            raise GatewayStoppedError

    def find_alarm(self) -> Alarm | None:
        """Return the oldest alarm that nobody has cleared."""
        statement = (
            select(
                gateway_alarms.c.number,
                gateway_alarms.c.raised_at,
                gateway_alarms.c.held_size,
                gateway_alarms.c.held_root,
                gateway_alarms.c.checkpoint,
            )
            .where(gateway_alarms.c.cleared_at.is_(None))
            .order_by(gateway_alarms.c.number)
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(statement).first()
        return Alarm(*row) if row is not None else None

    def find_newest(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint accepted of this log, by database and ratchet."""
        with self._engine.connect() as connection:
            return self._find_newest(connection, origin)

    def accept(self, found: Checkpoint, note: bytes, proof: Consistency, now: datetime) -> None:
        """Accept a checkpoint whose signature holds, durably.

        Raises NeedProofError; LogForkedError, after which this gateway is stopped; RatchetError.
        """
        try:
            with self._one_by_one, self._engine.begin() as connection:
                newest = self._find_newest(connection, found.origin)
                known = self._find_roots(connection, found, proof, newest)
                is_newer = require_consistent(found, proof, newest, known)
                self._remember(connection, found, is_newer=is_newer)
                if is_newer:  # before the commit: a ratchet that is ahead is believed
                    self._ratchet.advance(_name(found.origin), found.size, found.root)
        except (LogForkedError, RatchetAlarmError):
            self._raise_alarm(found, note, now)
            raise LogForkedError from None

    def require_known_root(self, found: Checkpoint, note: bytes, now: datetime) -> None:
        """Stop the gateway if another root was accepted for this size.

        Raises LogForkedError.
        """
        with self._engine.connect() as connection:
            root = self._find_root(connection, found.origin, found.size)
        if root is not None and root != found.root:
            self._raise_alarm(found, note, now)
            raise LogForkedError

    def raise_not_cosigned(self, found: Checkpoint, now: datetime) -> None:
        """Stop the gateway: no witness vouches for what was accepted. The alarm has no note."""
        self._raise_alarm(found, b"", now)

    def clear_alarm(self, number: int, by: str, now: datetime) -> None:
        """Write that a person looked, and take orders again; raise AlarmUnknownError.

        What was accepted stays: the log that contradicted it is refused again.
        """
        statement = (
            update(gateway_alarms)
            .where(gateway_alarms.c.number == number, gateway_alarms.c.cleared_at.is_(None))
            .values(cleared_at=int(now.timestamp()), cleared_by=by[:200])
        )
        with self._engine.begin() as connection:
            if connection.execute(statement).rowcount != 1:
                raise AlarmUnknownError
        _log.warning("alarm_cleared", alarm=number)

    def _find_newest(self, connection: Connection, origin: str) -> Checkpoint | None:
        row = connection.execute(
            select(gateway_roots.c.size, gateway_roots.c.root)
            .where(gateway_roots.c.origin == origin)
            .order_by(gateway_roots.c.size.desc())
            .limit(1)
        ).first()
        mark = self._ratchet.value(_name(origin))
        if mark is not None and (row is None or mark.number >= row.size):
            return Checkpoint(origin=origin, size=mark.number, root=mark.digest)
        return Checkpoint(origin=origin, size=row.size, root=row.root) if row else None

    def _find_root(self, connection: Connection, origin: str, size: int) -> bytes | None:
        root: bytes | None = connection.execute(
            select(gateway_roots.c.root).where(
                gateway_roots.c.origin == origin, gateway_roots.c.size == size
            )
        ).scalar()
        return root

    def _find_roots(
        self,
        connection: Connection,
        found: Checkpoint,
        proof: Consistency,
        newest: Checkpoint | None,
    ) -> dict[int, bytes]:
        roots = {newest.size: newest.root} if newest else {}
        for size in (found.size, proof.to_size):
            root = self._find_root(connection, found.origin, size)
            if root is not None:
                roots.setdefault(size, root)
        return roots

    def _remember(self, connection: Connection, found: Checkpoint, *, is_newer: bool) -> None:
        if self._find_root(connection, found.origin, found.size) is None:
            values = {"origin": found.origin, "size": found.size, "root": found.root}
            connection.execute(insert(gateway_roots).values(**values))
        if not is_newer:
            return
        of_this = gateway_roots.c.origin == found.origin
        oldest = (
            select(gateway_roots.c.size)
            .where(of_this)
            .order_by(gateway_roots.c.size.desc())
            .limit(1)
            .offset(ROOTS_KEPT - 1)
        )
        least = connection.execute(oldest).scalar()
        if least is not None:
            connection.execute(delete(gateway_roots).where(of_this, gateway_roots.c.size < least))

    def _raise_alarm(self, found: Checkpoint, note: bytes, now: datetime) -> None:
        newest = self.find_newest(found.origin)
        values: dict[str, Any] = {
            "raised_at": int(now.timestamp()),
            "held_size": newest.size if newest else None,
            "held_root": newest.root if newest else None,
            "checkpoint": note,
        }
        with self._engine.begin() as connection:
            standing = select(func.count()).where(gateway_alarms.c.cleared_at.is_(None))
            if not connection.execute(standing).scalar():
                connection.execute(insert(gateway_alarms).values(**values))
        _log.critical("log_forked" if note else "log_not_cosigned", size=found.size)


def _name(origin: str) -> str:
    """Return the ratchet's name for a log, short whatever the origin is."""
    return "gateway_log:" + hashlib.sha256(origin.encode()).hexdigest()[:16]
