"""The client's memory: references by the partner's own numbers, and the evidence of every message.

Rule: short transactions, each whole; what was sent is recorded before it is sent, so that the same
bytes can be sent again after a crash. Times are Unix seconds; nothing here knows a BSN.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    ScalarSelect,
    Select,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from connectors.client.outgoing import Sent
from connectors.gateway_tables import gateway_orders
from connectors.tables import (
    clients,
    contact_requests,
    evidence,
    involvements,
    occasion_members,
    occasion_staff,
    occasions,
    pointers,
)
from datwat.party.database import READ_ONLY
from datwat.protocol.acts import Statement

HANDLE_USED_FOR: Final = timedelta(days=365)  # as the broker (protocol.md section 10)


@dataclass(frozen=True, slots=True)
class Pointer:
    """An involvement that was shown: of which client, under which reference, held by whom."""

    number: int
    client: str
    reference: bytes = field(repr=False)
    source: str | None


@dataclass(frozen=True, slots=True)
class OwnInvolvement:
    """An involvement of this partner, as it stands at the broker."""

    client: str
    kind: str
    reference: bytes = field(repr=False)
    run: int | None


@dataclass(frozen=True, slots=True)
class Occasion:
    """An occasion of this partner and its members' client numbers, in the order of opening."""

    number: str
    reference: bytes = field(repr=False)
    is_open: bool
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that was recorded and not answered; `context` is what its rows were about."""

    sent: Sent
    context: Any


def select_first_number(handle: bytes | ScalarSelect[Any]) -> Select[Any]:
    """Return what reads the client number under which the person of a handle was first known."""
    found = select(clients.c.number).where(clients.c.handle == handle)
    return found.order_by(clients.c.known_at, clients.c.number).limit(1)


class ClientStore:
    """The statements of the client over one engine; every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database of this connector."""
        return self._engine

    def find_handles(self, numbers: Iterable[str], now: datetime) -> dict[str, bytes]:
        """Return the handles of those of `numbers` that have one which the broker still knows."""
        used_since = _seconds(now - HANDLE_USED_FOR)
        wanted = sorted(set(numbers))
        rows: list[Row[Any]] = []
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            query = select(clients.c.number, clients.c.handle).where(clients.c.number.in_(chunk))
            rows += self._read(query.where(clients.c.used_at > used_since))
        return {row.number: row.handle for row in rows}

    def find_first_number(self, number: str) -> str:
        """Return the client number under which a person was first known here; acts name them by it.

        The same number where it has no handle, or none of its own.
        """
        handle = select(clients.c.handle).where(clients.c.number == number).scalar_subquery()
        rows = self._read(select_first_number(handle))
        return str(rows[0].number) if rows else number

    def keep_handles(self, handles: Mapping[str, bytes], now: datetime) -> None:
        """Keep the handle of each client number, as used now."""
        used = {"known_at": _seconds(now), "used_at": _seconds(now)}
        rows = [{"number": number, "handle": handle, **used} for number, handle in handles.items()]
        self._upsert(clients, rows, ("number",), ("handle", "used_at"))

    def forget_client(self, number: str, now: datetime) -> None:
        """Forget handle, pointers and involvements of a client number (a wrong person).

        They leave the open occasions, as at the broker; one without anybody left is closed: nobody
        can ask on it. The proofs of orders stay, and are no longer listed under this number.
        """
        mine, c = gateway_orders.c.client == number, occasion_members.c
        is_open = select(occasions.c.number).where(occasions.c.closed_at.is_(None))
        with self._engine.begin() as connection:
            connection.execute(update(gateway_orders).where(mine).values(client=None))
            left = and_(c.client == number, c.occasion.in_(is_open))
            held = list(connection.execute(select(c.occasion).where(left)).scalars())
            connection.execute(delete(occasion_members).where(left))
            for occasion in held:
                others = select(c.client).where(c.occasion == occasion).limit(1)
                if connection.execute(others).first() is None:
                    _close(connection, occasion, now)
            for table, column in (
                (pointers, pointers.c.client),
                (involvements, involvements.c.client),
                (clients, clients.c.number),
            ):
                connection.execute(delete(table).where(column == number))

    def find_involvement(self, client: str, kind: str) -> OwnInvolvement | None:
        """Return this partner's own involvement of a kind with a client."""
        c = involvements.c
        rows = self._read(select(involvements).where(and_(c.client == client, c.kind == kind)))
        return _own(rows[0]) if rows else None

    def list_involvements(self) -> list[OwnInvolvement]:
        """Return all own involvements, in a fixed order."""
        order = (involvements.c.client, involvements.c.kind)
        return [_own(row) for row in self._read(select(involvements).order_by(*order))]

    def keep_involvements(
        self,
        rows: Iterable[tuple[str, str, bytes, datetime | None]],
        now: datetime,
        run: int | None = None,
    ) -> None:
        """Keep (client, kind, reference, expiry) as registered or reconfirmed `now`, by `run`.

        Without a `run` the one that a sync set stays: what a sync registered, a sync may end.
        """
        values = [
            {
                "client": client,
                "kind": kind,
                "reference": reference,
                "confirmed_at": _seconds(now),
                "expires_at": _seconds(expires_at) if expires_at else None,
                "run": run,
            }
            for client, kind, reference, expires_at in rows
        ]
        changed = ("reference", "confirmed_at", "expires_at", *(("run",) if run else ()))
        self._upsert(involvements, values, ("client", "kind"), changed)

    def forget_involvements(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget own involvements by client and kind: they have ended."""
        c = involvements.c
        with self._engine.begin() as connection:
            for client, kind in keys:
                there = and_(c.client == client, c.kind == kind)
                connection.execute(delete(involvements).where(there))

    def find_occasion(self, number: str) -> Occasion | None:
        """Return an occasion by the partner's own number."""
        rows = self._read(select(occasions).where(occasions.c.number == number))
        if not rows:
            return None
        members = select(occasion_members.c.client).where(occasion_members.c.occasion == number)
        named = self._read(members.order_by(occasion_members.c.place))
        return Occasion(
            number=number,
            reference=rows[0].reference,
            is_open=rows[0].closed_at is None,
            members=tuple(row.client for row in named),
        )

    def add_occasion(
        self, number: str, reference: bytes, members: Sequence[str], now: datetime
    ) -> None:
        """Keep an occasion that was opened; the same again changes nothing."""
        occasion = {"number": number, "reference": reference, "opened_at": _seconds(now)}
        self._upsert(occasions, [occasion], ("number",), ("reference",))
        rows = [
            {"occasion": number, "client": client, "place": place}
            for place, client in enumerate(members)
        ]
        self._upsert(occasion_members, rows, ("occasion", "client"), ("place",))

    def close_occasion(self, number: str, now: datetime) -> None:
        """Note that an occasion was closed; nobody works on it any more."""
        with self._engine.begin() as connection:
            _close(connection, number, now)

    def keep_pointers(
        self, client: str, shown: Iterable[tuple[bytes, str | None]], now: datetime
    ) -> dict[bytes, int]:
        """Keep (reference, source) of what was shown, and return the number of each reference."""
        rows = [
            {"client": client, "reference": ref, "source": source, "shown_at": _seconds(now)}
            for ref, source in shown
        ]
        self._upsert(pointers, rows, ("client", "reference"), ("source", "shown_at"))
        query = select(pointers.c.reference, pointers.c.number).where(pointers.c.client == client)
        return {row.reference: row.number for row in self._read(query)}

    def find_pointer(self, number: int) -> Pointer | None:
        """Return a pointer by the number under which it was shown."""
        rows = self._read(select(pointers).where(pointers.c.number == number))
        if not rows:
            return None
        row = rows[0]
        return Pointer(row.number, row.client, row.reference, row.source)

    def keep_contact_request(
        self, reference: bytes, client: str, source: str, now: datetime
    ) -> None:
        """Keep a contact request that was sent."""
        row = {"reference": reference, "client": client, "source": source}
        values = [{**row, "sent_at": _seconds(now)}]
        self._upsert(contact_requests, values, ("reference",), ("sent_at",))

    def record_sent(
        self, sent: Sent, context: object, now: datetime, statement: Statement | None = None
    ) -> None:
        """Record a message before it is sent; `context` (JSON) says what its rows are about.

        By `statement` staff find again what they said themselves, and on which occasion.
        """
        hashes = [digest.hex() for digest in sent.person_hashes]
        raw = json.dumps({"persons": hashes, "context": context}).encode()
        with self._engine.begin() as connection:
            connection.execute(
                insert(evidence).values(
                    rid=sent.rid,
                    act=sent.act,
                    sent_at=_seconds(now),
                    message=sent.wire,
                    context=raw,
                    state="pending",
                    staff=statement.professional.id if statement else None,
                    occasion=statement.occasion if statement else None,
                )
            )

    def record_answer(self, rid: bytes, answer: bytes | None, state: str) -> None:
        """Record what came of a message: `answered` with its bytes, or `refused`."""
        done = update(evidence).where(evidence.c.rid == rid)
        with self._engine.begin() as connection:
            connection.execute(done.values(answer=answer, state=state))

    def list_pending(self, acts: Sequence[str], since: datetime) -> list[Pending]:
        """Return the unanswered messages of these acts that may still be sent again."""
        c = evidence.c
        wanted = and_(c.state == "pending", c.act.in_(acts), c.sent_at >= _seconds(since))
        return [_pending(row) for row in self._read(select(evidence).where(wanted))]

    def _read(self, query: Any) -> list[Row[Any]]:  # noqa: ANN401 - any select
        with self._engine.connect() as connection:
            reading = connection.execution_options(**{READ_ONLY: True})
            return list(reading.execute(query))

    def _upsert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        key: Sequence[str],
        changed: Sequence[str],
    ) -> None:
        if not rows:
            return
        build = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        statement = build(table)
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={name: statement.excluded[name] for name in changed}
        )
        with self._engine.begin() as connection:
            connection.execute(statement, [dict(row) for row in rows])


def _close(connection: Connection, occasion: str, now: datetime) -> None:
    closed = update(occasions).where(occasions.c.number == occasion)
    connection.execute(closed.values(closed_at=_seconds(now)))
    connection.execute(delete(occasion_staff).where(occasion_staff.c.occasion == occasion))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def read_moment(seconds: int) -> datetime:
    """Return the aware moment of Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def _own(row: Row[Any]) -> OwnInvolvement:
    return OwnInvolvement(row.client, row.kind, row.reference, row.run)


def _pending(row: Row[Any]) -> Pending:
    held = json.loads(row.context)
    hashes = tuple(bytes.fromhex(digest) for digest in held["persons"])
    return Pending(Sent.from_wire(row.act, row.rid, row.message, hashes), held["context"])
