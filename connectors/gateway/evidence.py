"""What a source keeps of the orders that it took: the proofs, no value, for whoever compares logs.

Rule: an order that rests on something told later stays out of every list until the broker's
`opened` message, with its proof, has come.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from connectors.gateway_tables import gateway_opened, gateway_orders
from datwat.protocol.entry import derive_commit
from datwat.protocol.held_entries import HeldEntry
from datwat.protocol.messages import FieldPath, ReleaseCore
from datwat.protocol.values import Bytes16, Bytes32, Moment, PartyId, Value

KEPT_FOR = timedelta(days=5 * 365)
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class Evidence:
    """The proof of one order; `is_told` is False where the resident is told later."""

    requester: str
    rid: bytes
    origin: str
    log_index: int
    core: bytes = field(repr=False)
    payload_hash: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    is_told: bool
    client: str | None = field(repr=False)


class TakenOrder(Value):
    """An order as the partner's own staff may see it."""

    requester: PartyId
    rid: Bytes16
    log_index: int
    core_hash: Bytes32
    fields: tuple[FieldPath, ...]
    outcome: str
    at: Moment


def record_order(connection: Connection, evidence: Evidence, outcome: str, now: datetime) -> None:
    """Write what became of an order; what it became last counts. Old evidence is let go."""
    moment = int(now.timestamp())
    oldest = int((now - KEPT_FOR).timestamp())
    this = (gateway_orders.c.requester == evidence.requester) & (
        gateway_orders.c.rid == evidence.rid
    )
    connection.execute(delete(gateway_orders).where(this | (gateway_orders.c.at < oldest)))
    connection.execute(
        insert(gateway_orders).values(
            requester=evidence.requester,
            rid=evidence.rid,
            origin=evidence.origin,
            log_index=evidence.log_index,
            core=evidence.core,
            payload_hash=evidence.payload_hash,
            tag=evidence.tag,
            outcome=outcome,
            at=moment,
            told_at=moment if evidence.is_told else None,
            client=evidence.client,
        )
    )


def mark_told(
    connection: Connection, origin: str, log_index: int, commit: bytes, now: datetime
) -> bytes | None:
    """Write that the resident was told of an entry; return the commit that it must have.

    None where this source took no order that rests on it: then it may be an answer to this partner.
    """
    opened = {"origin": origin, "log_index": log_index}
    is_it = (gateway_opened.c.origin == origin) & (gateway_opened.c.log_index == log_index)
    moment, oldest = int(now.timestamp()), int((now - KEPT_FOR).timestamp())
    is_old = gateway_opened.c.told_at < oldest
    connection.execute(delete(gateway_opened).where(is_it | is_old))
    connection.execute(insert(gateway_opened).values(**opened, commit=commit, told_at=moment))
    this = (gateway_orders.c.origin == origin) & (gateway_orders.c.log_index == log_index)
    row = connection.execute(
        select(gateway_orders.c.core, gateway_orders.c.payload_hash).where(this)
    ).first()
    if row is None:
        return None
    told = {"told_at": moment}
    connection.execute(
        update(gateway_orders).where(this, gateway_orders.c.told_at.is_(None)).values(**told)
    )
    return derive_commit(row.core, row.payload_hash)


def list_orders(engine: Engine, *, limit: int = MAX_LISTED) -> list[TakenOrder]:
    """Return the orders that are not to be kept quiet, the newest first."""
    statement = (
        select(gateway_orders)
        .where(gateway_orders.c.told_at.is_not(None))
        .order_by(gateway_orders.c.at.desc(), gateway_orders.c.log_index.desc())
        .limit(min(limit, MAX_LISTED))
    )
    with engine.connect() as connection:
        return [_build_order(row) for row in connection.execute(statement)]


def list_held(engine: Engine, client: str, origin: str) -> list[HeldEntry]:
    """Return the entries on which this source took orders about a client, the newest first."""
    columns = gateway_orders.c
    statement = (
        select(gateway_orders)
        .where(columns.client == client, columns.origin == origin, columns.told_at.is_not(None))
        .order_by(columns.log_index.desc())
    )
    with engine.connect() as connection:
        return [
            HeldEntry(
                index=row.log_index,
                role="source",
                act="release",
                at=datetime.fromtimestamp(row.at, UTC),
                core=row.core,
                payload_hash=row.payload_hash,
                tag=row.tag,
            )
            for row in connection.execute(statement)
        ]


def _build_order(row: Row[Any]) -> TakenOrder:
    core = ReleaseCore.model_validate_json(row.core)
    return TakenOrder(
        requester=row.requester,
        rid=row.rid,
        log_index=row.log_index,
        core_hash=hashlib.sha256(row.core).digest(),
        fields=core.fields,
        outcome=row.outcome,
        at=datetime.fromtimestamp(row.at, UTC),
    )
