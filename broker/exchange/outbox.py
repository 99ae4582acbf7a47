"""What waits to be relayed: contact requests to their sources, until they are there or over.

Rules: a request lies in its register until the source's gateway took it; a source that is down is
tried again; the source gets its own references only, so that nothing two partners see is equal.
Source: protocol.md section 3 (`POST /v1/contact-deliveries`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel
from sqlalchemy import Connection

from broker.audit.records import Appendable, Job
from broker.exchange.life import Rooms
from broker.involvement.contacts import ContactRequest
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import IssuerRefusedError
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.deliveries import ContactDelivery
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import SigningKey
from datwat.protocol.signing import build_message, build_part
from datwat.protocol.trust import Partner
from datwat.protocol.values import encode_bytes, encode_moment

_AT_ONCE = 50
_log = get_logger("outbox")


class Courier(Protocol):
    """Hands one message to a gateway."""

    async def deliver(self, url: str, message: bytes) -> None:
        """Return when the gateway took it; raise PeerError where it did not."""


class Outbox:
    """Delivers what is due; one round at a time."""

    def __init__(self, rooms: Rooms, courier: Courier, key: SigningKey, party: str) -> None:
        self._rooms = rooms
        self._courier = courier
        self._key = key
        self._party = party

    async def deliver_due(self) -> int:
        """Try everything that waits once and return how much arrived."""
        now = self._rooms.clock()
        with self._rooms.reading() as conn:
            waiting = self._rooms.registers.contacts.list_undelivered(conn, now, _AT_ONCE)
        arrived = 0
        for request in waiting:
            arrived += await self._deliver(request)
        return arrived

    async def _deliver(self, request: ContactRequest) -> bool:
        now = self._rooms.clock()
        try:
            source = self._rooms.trust.directory.require_partner(request.source, now)
        except IssuerRefusedError:
            return False
        message = self._build(request, source)
        if message is None or source.gateway_url is None:
            return False
        try:
            url = source.gateway_url.rstrip("/") + "/v1/contact-deliveries"
            await self._courier.deliver(url, message)
        except DatwatError as error:
            _log.warning("contact_request_not_delivered", source=source.id, code=error.code)
            return False

        def work(conn: Connection) -> Sequence[Appendable]:
            self._rooms.registers.contacts.mark_delivered(conn, request.id, now)
            return []

        await self._rooms.log.append(Job(work))
        return True

    def _build(self, request: ContactRequest, source: Partner) -> bytes | None:
        """Return the signed delivery, or None where the source has no reference to the person."""
        registers, now = self._rooms.registers, self._rooms.clock()
        with self._rooms.reading() as conn:
            find = registers.references.find_reference
            own = find(conn, source.id, "contact_request", request.id, now)
            held = registers.involvements.list_current_of(conn, request.subject_id, source.id, now)
            involvement = find(conn, source.id, "involvement", held[0].id, now) if held else None
        if own is None or involvement is None:
            return None
        delivery = ContactDelivery(
            contact_request=own,
            involvement=involvement,
            requester=request.requester,
            call_back=request.call_back,
            asked_at=request.asked_at,
            due_at=request.due_at,
            until_at=request.until_at,
        )
        return build_relayed(
            "contact_request", self._party, source.id, delivery, now, key=self._key
        )


def build_relayed(
    kind: str, party: str, to: str, content: BaseModel, now: datetime, *, key: SigningKey
) -> bytes:
    """Return a signed message of the broker's own, with one part."""
    members = {
        "v": 1,
        "type": kind,
        "iss": party,
        "aud": to,
        "iat": encode_moment(now),
        "rid": encode_bytes(os.urandom(16)),
        "has_statement": False,
        "has_ticket": False,
    }
    part = build_part(encode_canonical(content.model_dump(mode="json", exclude_none=True)))
    return build_message(members, [part], key).to_bytes()
