"""What the broker relays beside orders: contact requests, and what became of earlier exchanges.

Rules: only the broker relays; a message is heard once and the same bytes again change nothing; an
opening counts with its proof only (audit-log: Chains).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Engine, delete, insert

from connectors.gateway.contacts import add_contact
from connectors.gateway.errors import DeliveryFormError, NotFromBrokerError, NoticeUnprovedError
from connectors.gateway.evidence import mark_told
from connectors.gateway_tables import gateway_ended, gateway_spent
from datwat.party import clock
from datwat.party.http_in import Admitted, read_message
from datwat.party.spent import SpentRequests
from datwat.party.trust_list import Directory
from datwat.protocol.canonical import CanonicalError, decode_canonical
from datwat.protocol.deliveries import ContactDelivery, EndedNotice, OpenedCore, OpenedNotice
from datwat.protocol.messages import MessageObject
from datwat.protocol.order import ContactDeliveryObject, NoticeObject
from datwat.protocol.receipt import require_receipt
from datwat.protocol.signing import part_content

ObjectT = TypeVar("ObjectT", bound=MessageObject)
ModelT = TypeVar("ModelT", bound=BaseModel)
Write = Callable[[Connection], None]


class Relayed:
    """Takes what the broker relays; safe for many at once in one loop."""

    def __init__(self, *, own: str, directory: Callable[[], Directory], engine: Engine) -> None:
        """Keep the parts; `own` is this partner's id."""
        self._own = own
        self._directory = directory
        self._engine = engine
        self._spent = SpentRequests(gateway_spent)

    async def take_contact(self, body: bytes) -> None:
        """Keep a contact request for the partner's staff.

        Raises MessageError, CanonicalError, IssuerRefusedError, NotFromBrokerError,
        DeliveryFormError, RidReusedError.
        """
        now = clock.now()
        admitted = self._read(body, ContactDeliveryObject, now)
        delivery = _read_part(admitted, ContactDelivery)

        def write(connection: Connection) -> None:
            add_contact(connection, delivery, now)

        await asyncio.to_thread(self._once, admitted, write, now)

    async def take_notice(self, body: bytes) -> None:
        """Keep what became of an earlier exchange.

        Raises as `take_contact`, and NoteError, ReceiptError or NoticeUnprovedError where an
        opening is not proved.
        """
        now = clock.now()
        admitted = self._read(body, NoticeObject, now)
        if admitted.object.type == "opened":
            write = self._open(_read_part(admitted, OpenedNotice), now)
        else:
            write = _end(_read_part(admitted, EndedNotice), admitted.object.type, now)
        await asyncio.to_thread(self._once, admitted, write, now)

    def _read(self, body: bytes, kind: type[ObjectT], now: datetime) -> Admitted[ObjectT]:
        admitted = read_message(body, self._directory(), kind, aud=self._own, now=now)
        if admitted.issuer.role != "broker":
            raise NotFromBrokerError
        return admitted

    def _once(self, admitted: Admitted[ObjectT], write: Write, now: datetime) -> None:
        """Spend the message and write, in one transaction; the same bytes again do nothing."""
        iss, rid, digest = admitted.issuer.id, admitted.object.rid, admitted.request_hash
        with self._engine.begin() as connection:
            if self._spent.find(connection, iss, rid, digest, now=now) is not None:
                return
            admitted.require_fresh(now)
            if self._spent.spend(connection, iss, rid, digest, answer=b"", now=now) is None:
                write(connection)

    def _open(self, notice: OpenedNotice, now: datetime) -> Write:
        """Return what an opening writes, if it stands in the log and is one."""
        log = self._directory().trust.log
        require_receipt(
            core=notice.core,
            payload_hash=notice.payload_hash,
            tag=notice.tag,
            receipt=notice.receipt,
            checkpoint=notice.checkpoint.encode(),
            origin=log.origin,
            vkeys=log.vkeys,
        )
        try:
            decode_canonical(notice.core)
            core = OpenedCore.model_validate_json(notice.core)
        except (CanonicalError, ValidationError):
            raise NoticeUnprovedError from None

        def write(connection: Connection) -> None:
            commit = mark_told(connection, log.origin, core.index, core.commit, now)
            if commit is not None and commit != core.commit:
                raise NoticeUnprovedError

        return write


def _end(notice: EndedNotice, kind: str, now: datetime) -> Write:
    values = {
        "reference": notice.reference,
        "kind": notice.kind,
        "type": kind,
        "reason": notice.reason,
        "ended_at": int(notice.ended_at.timestamp()),
        "told_at": int(now.timestamp()),
    }

    def write(connection: Connection) -> None:
        same = gateway_ended.c.reference == notice.reference
        connection.execute(delete(gateway_ended).where(same))
        connection.execute(insert(gateway_ended).values(**values))

    return write


def _read_part(admitted: Admitted[ObjectT], kind: type[ModelT]) -> ModelT:
    """Return the one part as its model; raise DeliveryFormError."""
    if len(admitted.parts) != 1 or admitted.object.has_statement or admitted.object.has_ticket:
        raise DeliveryFormError
    content = part_content(admitted.parts[0])
    try:
        decode_canonical(content)
        return kind.model_validate_json(content)
    except (CanonicalError, ValidationError):
        raise DeliveryFormError from None
