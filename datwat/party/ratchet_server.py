"""The ratchet on a PostgreSQL server of its own, for a party with several processes.

Rule: the same as in a file (`ratchet.py`): a named number only rises, at one number there is one
digest, what ended stays listed.
It lies on *another* server than the party's database (`ratchet_places.py`). Nothing of it is kept
in memory: what another process wrote counts from that moment on. Each row has a checksum, records
are chained, and their end says how many there are: one that was changed or taken out is noticed at
the next start.

A server that does not answer is asked again for a while: whether a write was carried out is not
known then, and writing the same again changes nothing. What the server refuses is final.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datwat.party import ratchet_form as form
from datwat.party import ratchet_statements as sql
from datwat.party.database import open_engine, parse_url
from datwat.party.database_errors import DatabaseError, DatabaseUrlError
from datwat.party.postgres import PATIENCE
from datwat.party.ratchet import Ratchet
from datwat.party.ratchet_away import explain_away
from datwat.party.ratchet_errors import (
    RatchetAlarmError,
    RatchetAwayError,
    RatchetBrokenError,
    RatchetDamagedError,
    RatchetError,
    RatchetRefusedError,
)
from datwat.party.ratchet_form import Mark, Record

# How long a server is asked again: where somebody waits with the event loop, and elsewhere.
_LOOP_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0
_START_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
_AWAY_SECONDS = 0.5
# After which a server that says nothing is taken for one that does not answer.
_SILENT_SINGLE_SECONDS = 2.0
_SILENT_SECONDS = 10.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _End:
    """How many marks and records there are, and the chain over the records."""

    marks: int
    place: int
    chain: bytes


class ServerRatchet(Ratchet):
    """A party's ratchet on a server; every public method of `Ratchet`, for several processes."""

    is_shared = True

    def __init__(self, engine: Engine, party: str) -> None:  # nothing of the file's is used
        self._engine = engine.execution_options(**{PATIENCE: _SILENT_SECONDS})
        # For what is one statement: it needs no transaction around it.
        self._single = engine.execution_options(
            isolation_level="AUTOCOMMIT", **{PATIENCE: _SILENT_SINGLE_SECONDS}
        )
        self._party = party
        self._is_refused = False
        self._patience = _START_SECONDS
        self._away_until = 0.0

    @classmethod
    def connect(cls, url: str, party: str) -> Self:
        """Open the ratchet of a party, and check all of it; make it where there is none.

        Raises:
            RatchetAwayError: the server does not answer, or lets nobody in, or is not fit; which.
            RatchetDamagedError: rows were changed, or taken out.
            RatchetError: another kind of database, or a server that refuses.
        """
        try:  # before it is opened: that makes the file of an SQLite database
            kind = parse_url(url).get_backend_name()
        except DatabaseUrlError as error:
            if error.detail != error.default_detail:  # of a server's, exactly
                raise RatchetError(f"ratchet_url does not hold. {error.detail}") from None
            kind = ""
        if kind != "postgresql":
            raise RatchetError("ratchet_url must be postgresql://USER:PASSWORD@HOST/DATABASE.")
        engine = open_engine(url)
        ratchet = cls(engine, party)
        try:
            ratchet._run(ratchet._make)
            ratchet._run(ratchet._check)
            ratchet._patience = _PATIENCE_SECONDS
        except RatchetAwayError:
            raise explain_away(engine) from None
        except BaseException:
            engine.dispose()
            raise
        return ratchet

    def close(self) -> None:
        """Let go of the connections; nothing is pending."""
        self._engine.dispose()

    def find_identity(self) -> int:
        """Return what tells this server and its standbys from every other."""
        return self._run(find_identity)

    def value(self, name: str) -> Mark | None:
        """Return how far `name` got, or None; raise RatchetAwayError, RatchetDamagedError."""
        return self._run(lambda conn: self._read_mark(conn, name), self._single)

    def advance(self, name: str, number: int, digest: bytes) -> None:
        """Move `name` to `number` durably; the same again changes nothing (contract as `Ratchet`).

        Raises RatchetAwayError where the server does not answer: it may have been written.
        """
        values = self._build_mark(name, number, digest)

        # Nearly always this is all, and one way to the server and back.
        if self._run(lambda conn: conn.execute(sql.RAISE_MARK, values).rowcount, self._single):
            return

        def work(conn: Connection) -> Mark | None:
            held = self._read_mark(conn, name)
            if held is None:
                end = self._lock_end(conn)
                if conn.execute(sql.ADD_MARK, values).rowcount:
                    self._move_end(conn, _End(end.marks + 1, end.place, end.chain))
                    return None
                held = self._read_mark(conn, name)
            return held

        held = self._run(work)
        if held is None:
            return
        if number < held.number:
            raise RatchetRefusedError
        if number == held.number and not hmac.compare_digest(digest, held.digest):
            raise RatchetAlarmError
        if number > held.number:  # it was added by another process between two statements
            self.advance(name, number, digest)

    def advance_from(self, name: str, before: Mark | None, number: int, digest: bytes) -> bool:
        """Move `name` on from `before`, in one statement (contract as `Ratchet`)."""
        if before is None:  # nothing was there to lead on from
            self.advance(name, number, digest)
            return True
        given = {"before_number": before.number, "before_digest": before.digest}
        values = {**self._build_mark(name, number, digest), **given}
        if self._run(lambda conn: conn.execute(sql.RAISE_MARK_FROM, values).rowcount, self._single):
            return True
        # The same again, or written by a statement whose answer was lost.
        return self.value(name) == Mark(number, digest)

    def _build_mark(self, name: str, number: int, digest: bytes) -> dict[str, Any]:
        checksum = _sum_up(self._party, name, number, digest)
        named = {"party": self._party, "name": name}
        return {**named, "number": number, "digest": digest, "checksum": checksum}

    def record_all(self, ended: Iterable[Record]) -> None:
        """Note durably, in one transaction, what ended; those known are left out.

        Raises:
            RatchetError: one of them is too long; nothing was written.
        """
        wanted = list(dict.fromkeys(ended))
        if wanted:
            self._run(lambda conn: self._add_records(conn, wanted))

    def records(self, kind: str) -> tuple[str, ...]:
        """Return everything recorded of a kind, oldest first."""
        given = {"party": self._party, "kind": kind}
        return self._run(lambda conn: tuple(conn.execute(sql.LIST_OF_KIND, given).scalars()))

    def forget(self, kinds: Collection[str], mark: Record) -> int:
        """Take what was recorded of these kinds before `mark` out; return how much."""

        def work(conn: Connection) -> int:
            end = self._lock_end(conn)
            held = self._list_records(conn, end)
            place = held.index(mark) if mark in held else 0
            kept = [one for at, one in enumerate(held) if at >= place or one[0] not in kinds]
            if len(kept) < len(held):
                conn.execute(sql.DROP_RECORDS, {"party": self._party})
                self._move_end(conn, self._insert(conn, _End(end.marks, 0, form.EMPTY_CHAIN), kept))
            return len(held) - len(kept)

        return self._run(work)

    def take_over(self, marks: dict[str, Mark], records: Sequence[Record]) -> bool:
        """Begin with what a ratchet in a file holds; False, and no change, where this one began."""

        def work(conn: Connection) -> bool:
            end = self._lock_end(conn)
            if end.marks or end.place:
                return False
            for name, one in marks.items():
                conn.execute(sql.ADD_MARK, self._build_mark(name, one.number, one.digest))
            self._move_end(conn, self._insert(conn, _End(len(marks), 0, end.chain), records))
            return True

        return self._run(work)

    def _make(self, conn: Connection) -> None:
        conn.execute(sql.LOCK_SCHEMA, {"lock": sql.SCHEMA_LOCK})
        if conn.execute(sql.HAS_SCHEMA).scalar() is None:
            for statement in sql.SCHEMA:
                conn.execute(statement)
        end = _End(0, 0, form.EMPTY_CHAIN)
        given = {"party": self._party, "chain": end.chain, "checksum": self._sum_up_end(end)}
        conn.execute(sql.BEGIN, given)

    def _check(self, conn: Connection) -> None:
        end = self._lock_end(conn)
        marks = conn.execute(sql.LIST_MARKS, {"party": self._party}).all()
        for name, number, digest, checksum in marks:
            _require_sum(checksum, _sum_up(self._party, name, number, bytes(digest)))
        if len(marks) != end.marks:
            raise RatchetDamagedError
        self._list_records(conn, end)

    def _read_mark(self, conn: Connection, name: str) -> Mark | None:
        row = conn.execute(sql.READ_MARK, {"party": self._party, "name": name}).first()
        if row is None:
            return None
        number, digest, checksum = row
        _require_sum(checksum, _sum_up(self._party, name, number, bytes(digest)))
        return Mark(number, bytes(digest))

    def _add_records(self, conn: Connection, wanted: Sequence[Record]) -> None:
        end = self._lock_end(conn)
        kinds, identifiers = sorted({one[0] for one in wanted}), [one[1] for one in wanted]
        given = {"party": self._party, "kinds": kinds, "identifiers": identifiers}
        known = {tuple(row) for row in conn.execute(sql.LIST_KNOWN, given)}
        new = [one for one in wanted if one not in known]
        if new:
            self._move_end(conn, self._insert(conn, end, new))

    def _insert(self, conn: Connection, end: _End, records: Sequence[Record]) -> _End:
        """Add records after an end, and return the end after them."""
        rows, chain = [], end.chain
        for place, one in enumerate(records, end.place + 1):
            try:
                _, chain = form.build_records([one], chain)
            except ValueError:
                raise RatchetError("What is to be recorded is too long.") from None
            row = {"kind": one[0], "identifier": one[1], "chain": chain}
            rows.append({"party": self._party, "place": place, **row})
        if rows:
            conn.execute(sql.ADD_RECORD, rows)
        return _End(end.marks, end.place + len(rows), chain)

    def _list_records(self, conn: Connection, end: _End) -> list[Record]:
        """Return all records in order; raise RatchetDamagedError where one is not as it was."""
        found: list[Record] = []
        chain = form.EMPTY_CHAIN
        for place, kind, identifier, stored in conn.execute(
            sql.LIST_RECORDS, {"party": self._party}
        ):
            found.append((kind, identifier))
            _, chain = form.build_records([found[-1]], chain)
            if place != len(found) or not hmac.compare_digest(chain, bytes(stored)):
                raise RatchetDamagedError
        if len(found) != end.place or not hmac.compare_digest(chain, end.chain):
            raise RatchetDamagedError
        return found

    def _lock_end(self, conn: Connection) -> _End:
        row = conn.execute(sql.LOCK_END, {"party": self._party}).first()
        if row is None:
            raise RatchetDamagedError
        marks, place, chain, checksum = row
        end = _End(marks, place, bytes(chain))
        _require_sum(checksum, self._sum_up_end(end))
        return end

    def _move_end(self, conn: Connection, end: _End) -> None:
        values = {"marks": end.marks, "place": end.place, "chain": end.chain}
        checksum = self._sum_up_end(end)
        conn.execute(sql.MOVE_END, {"party": self._party, "checksum": checksum, **values})

    def _sum_up_end(self, end: _End) -> bytes:
        return _sum_up(self._party, end.marks, end.place, end.chain)

    def _run(self, work: Callable[[Connection], _T], engine: Engine | None = None) -> _T:
        """Run `work` in a transaction; again where the server does not answer, for a while."""
        if self._is_refused:
            raise RatchetBrokenError
        until = time.monotonic() + (_LOOP_SECONDS if _is_on_loop() else self._patience)
        if _is_on_loop() and time.monotonic() < self._away_until:
            raise RatchetAwayError
        while True:
            try:
                with (engine or self._engine).begin() as conn:
                    return work(conn)
            except (OperationalError, InterfaceError, PoolTimeoutError, DatabaseError):
                if time.monotonic() >= until:
                    self._away_until = time.monotonic() + _AWAY_SECONDS
                    raise RatchetAwayError from None  # the driver's words name hosts and users
            except SQLAlchemyError:
                self._is_refused = True
                raise RatchetBrokenError from None
            time.sleep(_PAUSE_SECONDS)


def find_identity(conn: Connection) -> int:
    """Return what tells a PostgreSQL server and its standbys from every other."""
    return int(conn.execute(sql.FIND_IDENTITY).scalar_one())


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _sum_up(*members: Any) -> bytes:  # noqa: ANN401 - plain values
    plain = [one.hex() if isinstance(one, bytes) else one for one in members]
    return hashlib.sha256(b"dw-ratchet/v1\0" + json.dumps(plain).encode()).digest()


def _require_sum(stored: bytes, wanted: bytes) -> None:
    if not hmac.compare_digest(bytes(stored), wanted):
        raise RatchetDamagedError
