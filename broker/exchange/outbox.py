"""What waits to be relayed: contact requests and notices, until they are there or over.

Rules: what is to be told lies in its register until the partner's gateway took it; a gateway that
is down is tried again, ever less often, and holds up nobody else, nor does a row that does not
open: that is counted and put off, for a person to look at; where there is none a contact
request reaches nobody; each partner gets its own references only, so that nothing two partners see
is equal; an opening is told with a receipt under the newest head. Source: protocol.md section 3
(`POST /v1/contact-deliveries`, `POST /v1/notices`).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from broker.audit.records import Appendable, Job
from broker.exchange.recorded import Person
from broker.exchange.rooms import Rooms
from broker.involvement.contacts import ContactRequest
from broker.involvement.notices import Notice, OpenedEntry, UnreadableRow
from broker.pseudonyms.errors import RegisterAlarm
from datwat.party.http_out import PeerRefusedError
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import IssuerRefusedError
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.deliveries import ContactDelivery, EndedNotice, OpenedNotice
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import Signer
from datwat.protocol.signing import build_message, build_part
from datwat.protocol.values import encode_bytes, encode_moment

_AT_ONCE = 50
_MOST_A_ROUND = 1_000
PutOff = Callable[[Connection, UnreadableRow, datetime], None]
_DueT = TypeVar("_DueT")
_log = get_logger("outbox")


class Courier(Protocol):
    """Hands one message to a gateway."""

    async def deliver(self, url: str, message: bytes) -> None:
        """Return when the gateway took it; raise PeerError where it did not."""


class Outbox:
    """Delivers what is due; one round at a time."""

    def __init__(self, rooms: Rooms, courier: Courier, key: Signer, party: str) -> None:
        self._rooms = rooms
        self._courier = courier
        self._key = key
        self._party = party
        self._unreadable: dict[bytes, datetime] = {}

    def count_unreadable(self) -> int:
        """Return how many rows that still wait did not open when they were last tried."""
        now = self._rooms.clock()
        return sum(until_at > now for until_at in self._unreadable.values())

    async def deliver_due(self) -> int:
        """Try everything that waits once and return how much arrived; at most a thousand each."""
        contacts, notices = self._rooms.registers.contacts, self._rooms.registers.notices
        down: set[str] = set()
        return await self._deliver_all(
            contacts.list_undelivered, contacts.put_off, self._deliver_contact, down
        ) + await self._deliver_all(notices.list_due, notices.put_off, self._deliver_notice, down)

    async def _deliver_all(
        self,
        list_due: Callable[[Connection, datetime, int, list[UnreadableRow]], Sequence[_DueT]],
        put_off: PutOff,
        deliver: Callable[[_DueT, datetime, set[str]], Awaitable[bool]],
        down: set[str],
    ) -> int:
        """Try what is due of one kind, each row once; who is in `down` is let be."""
        arrived, tried = 0, 0
        while tried < _MOST_A_ROUND:
            now = self._rooms.clock()
            unreadable: list[UnreadableRow] = []
            with self._rooms.reading() as conn:
                due = list_due(conn, now, _AT_ONCE, unreadable)
            if not due and not unreadable:
                break
            tried += len(due) + len(unreadable)
            for row in unreadable:
                await self._skip(row, now, put_off)
            for one in due:
                arrived += await deliver(one, now, down)
        return arrived

    async def _deliver_contact(
        self, request: ContactRequest, now: datetime, down: set[str]
    ) -> bool:
        contacts = self._rooms.registers.contacts
        held = self._rooms.trust.directory.partners.get(request.source)
        if held is not None and held.gateway_url is None:
            await self._write(lambda conn: contacts.end_relaying(conn, request.id))
            return False
        try:
            delivery = self._build_delivery(request, now)
        except RegisterAlarm as error:
            row = UnreadableRow(request.id, request.tries, request.until_at, error.code)
            await self._skip(row, now, contacts.put_off)
            return False
        self._unreadable.pop(request.id, None)
        there = delivery is not None and await self._send(
            request.source, "/v1/contact-deliveries", "contact_request", delivery, down
        )
        await self._write(
            lambda conn: (
                contacts.mark_delivered(conn, request.id, now)
                if there
                else contacts.put_off(conn, request, now)
            )
        )
        return there

    def _build_delivery(self, request: ContactRequest, now: datetime) -> ContactDelivery | None:
        """Return what the source is told, or None where it has no reference to the person."""
        registers = self._rooms.registers
        with self._rooms.reading() as conn:
            find, source = registers.references.find_reference, request.source
            own = find(conn, source, "contact_request", request.id, now)
            held = registers.involvements.list_current_of(conn, request.subject_id, source, now)
            involvement = find(conn, source, "involvement", held[0].id, now) if held else None
        if own is None or involvement is None:
            return None
        return ContactDelivery(
            contact_request=own,
            involvement=involvement,
            requester=request.requester,
            call_back=request.call_back,
            asked_at=request.asked_at,
            due_at=request.due_at,
            until_at=request.until_at,
        )

    async def _deliver_notice(self, notice: Notice, now: datetime, down: set[str]) -> bool:
        notices = self._rooms.registers.notices
        try:
            content = self._build_notice(notice)
        except LookupError:  # its entry is gone: its person ended, or a restore lost it
            row = UnreadableRow(notice.id, notice.tries, notice.until_at, "entry_missing")
            await self._skip(row, now, notices.put_off)
            return False
        self._unreadable.pop(notice.id, None)
        there = await self._send(notice.to, "/v1/notices", notice.type, content, down)
        await self._write(
            lambda conn: (
                notices.remove(conn, notice.id) if there else notices.put_off(conn, notice, now)
            )
        )
        return there

    def _build_notice(self, notice: Notice) -> EndedNotice | OpenedNotice:
        opened = notice.content
        if not isinstance(opened, OpenedEntry):
            return opened
        head = self._rooms.proofs.read_committed_head()
        person = Person(
            part=b"",
            core=opened.core,
            payload_hash=opened.payload_hash,
            commit=opened.commit,
            subject_id=opened.subject_id,
            audience=opened.audience,
        )
        with self._rooms.reading() as conn:
            (found,) = self._rooms.ledger.add_receipts(conn, [person], head.size)
        assert found.tag is not None  # noqa: S101 - the notice was written with its entry
        assert found.receipt is not None  # noqa: S101 - as above
        return OpenedNotice(
            core=opened.core,
            payload_hash=opened.payload_hash,
            tag=found.tag,
            receipt=found.receipt,
            checkpoint=head.note,
        )

    async def _send(
        self, to: str, path: str, kind: str, content: BaseModel, down: set[str]
    ) -> bool:
        """Hand one message to a partner's gateway; who does not answer is let be for this round."""
        if to in down:
            return False
        now = self._rooms.clock()
        try:
            partner = self._rooms.trust.directory.require_partner(to, now)
            if partner.gateway_url is None:
                down.add(to)
                return False
            message = build_relayed(kind, self._party, to, content, now, key=self._key)
            await self._courier.deliver(partner.gateway_url.rstrip("/") + path, message)
        except IssuerRefusedError:
            down.add(to)
            return False
        except DatwatError as error:
            # Who answers no to one message may take the next; who does not answer is let be.
            if not isinstance(error, PeerRefusedError):
                down.add(to)
            _log.warning("not_delivered", type=kind, to=to, code=error.code)
            return False
        return True

    async def _skip(self, row: UnreadableRow, now: datetime, put_off: PutOff) -> None:
        """Count a row that does not open, and try it again ever less often: it may be restored."""
        _log.error("row_unreadable", code=row.code)
        self._unreadable[row.id] = row.until_at
        await self._write(lambda conn: put_off(conn, row, now))

    async def _write(self, write: Callable[[Connection], None]) -> None:
        def work(conn: Connection) -> Sequence[Appendable]:
            write(conn)
            return []

        await self._rooms.log.append(Job(work))


def build_relayed(
    kind: str, party: str, to: str, content: BaseModel, now: datetime, *, key: Signer
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
