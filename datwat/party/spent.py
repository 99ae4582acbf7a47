"""Spent requests: each party takes (issuer, `rid`) once, and gives the same bytes the same answer.

Rules (reference "One id"): the same bytes get the recorded answer for ten minutes, whatever their
`iat`; the same `rid` with other bytes is refused. Everything runs inside the caller's transaction:
a request counts as spent exactly when what it did is committed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from datwat.party.errors import PartyError
from datwat.party.hot import HotStatement

KEPT_FOR = timedelta(minutes=10)
_HASH_SIZE = 32
_RID_SIZE = 16


class RidReusedError(PartyError):
    """The same `rid` came with other bytes."""

    code = "rid_reused"
    default_detail = "This request id was used for another request: choose a new one."


class Spent(NamedTuple):
    """A request that was taken before; `answer` is None while it is still being answered."""

    answer: bytes | None


def build_spent_columns() -> tuple[Column[Any], ...]:
    """Return fresh columns of the table, for a party's tables and for its first migration."""
    return (
        Column("iss", String(64), primary_key=True),
        Column("rid", LargeBinary(_RID_SIZE), primary_key=True),
        Column("request_hash", LargeBinary(_HASH_SIZE), nullable=False),
        Column("answer", LargeBinary, nullable=True),
        Column("until_at", BigInteger, nullable=False),
    )


def build_spent_table(metadata: MetaData, name: str = "spent") -> Table:
    """Return the table of spent requests in a party's `metadata`; `until_at` is in Unix seconds."""
    table = Table(name, metadata, *build_spent_columns())
    Index(f"ix_{name}_until_at", table.c.until_at)
    return table


class SpentRequests:
    """The statements over one such table, compiled once."""

    def __init__(self, table: Table) -> None:
        c = table.c
        this = (c.iss == bindparam("b_iss"), c.rid == bindparam("b_rid"))
        inserts: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
        found = select(c.request_hash, c.answer, c.until_at).where(*this)
        recorded = update(table).where(*this).values(answer=bindparam("b_answer"))
        self._find = HotStatement(lambda _name: found)
        self._insert = HotStatement(lambda name: inserts[name](table).on_conflict_do_nothing())
        self._record = HotStatement(lambda _name: recorded)
        self._release = HotStatement(lambda _name: delete(table).where(*this))
        self._purge = delete(table).where(c.until_at <= bindparam("b_now"))

    def find(
        self, connection: Connection, iss: str, rid: bytes, request_hash: bytes, *, now: datetime
    ) -> Spent | None:
        """Return what is recorded for these bytes, or None if the id is free (or its time is over).

        Raises RidReusedError where the id was spent on other bytes.
        """
        row = self._find.find_row(connection, {"b_iss": iss, "b_rid": rid})
        if row is None:
            return None
        known_hash, answer, until_at = row
        if bytes(known_hash) != request_hash:
            raise RidReusedError
        if until_at <= now.timestamp():
            return None
        return Spent(None if answer is None else bytes(answer))

    def spend(
        self,
        connection: Connection,
        iss: str,
        rid: bytes,
        request_hash: bytes,
        *,
        answer: bytes | None,
        now: datetime,
    ) -> Spent | None:
        """Spend the id and return None; or return what another request with these bytes recorded.

        Where something is returned nothing was written. Waits for another transaction that spends
        the same id. Raises RidReusedError.
        """
        values = {
            "iss": iss,
            "rid": rid,
            "request_hash": request_hash,
            "answer": answer,
            "until_at": int((now + KEPT_FOR).timestamp()),
        }
        if self._insert.run(connection, values) == 1:
            return None
        found = self.find(connection, iss, rid, request_hash, now=now)
        if found is None:  # these bytes, but their ten minutes are over
            raise RidReusedError
        return found

    def record(self, connection: Connection, iss: str, rid: bytes, answer: bytes) -> None:
        """Record the answer of an id that was spent before its answer was known."""
        self._record.run(connection, {"b_iss": iss, "b_rid": rid, "b_answer": answer})

    def release(self, connection: Connection, iss: str, rid: bytes) -> None:
        """Give back an id that this very transaction spent, as what it was for was refused."""
        self._release.run(connection, {"b_iss": iss, "b_rid": rid})

    def purge(self, connection: Connection, now: datetime) -> int:
        """Delete what is older than ten minutes and return how many rows that were."""
        return connection.execute(self._purge, {"b_now": int(now.timestamp())}).rowcount
