"""Who wants to be called: kept for the partner's own staff, until it was answered or is over.

Rules: what is here is for this partner only, and has an end. That somebody saw or
answered it goes to the broker by the client's `answer_contact`; here only the state is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from connectors.gateway.errors import ContactUnknownError
from connectors.gateway_tables import gateway_contacts
from connectors.tables import involvements
from datwat.protocol.acts import Contact
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.deliveries import ContactDelivery
from datwat.protocol.values import Bytes16, Moment, PartyId, ShortText, Value

MAX_LISTED = 100
State = Literal["new", "seen", "answered"]
Shown = Literal["new", "seen", "answered", "overdue"]
_ORDER: tuple[State, ...] = ("new", "seen", "answered")


class ContactWish(Value):
    """Somebody who wants to be called about a client of this partner, and by when.

    `client` is None where the involvement is not known here any more.
    """

    number: int
    reference: Bytes16 = Field(repr=False)
    client: ShortText | None = Field(repr=False)
    requester: PartyId
    call_back: Contact = Field(repr=False)
    asked_at: Moment
    due_at: Moment
    until_at: Moment
    state: Shown
    is_seen: bool


class ContactBook:
    """The contact requests that reached this partner."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_open(self, now: datetime, *, limit: int = MAX_LISTED) -> list[ContactWish]:
        """Return what nobody has answered yet and is not over, the newest first."""
        statement = (
            select(gateway_contacts)
            .where(
                gateway_contacts.c.until_at > int(now.timestamp()),
                gateway_contacts.c.state != "answered",
            )
            .order_by(gateway_contacts.c.asked_at.desc(), gateway_contacts.c.number.desc())
            .limit(min(limit, MAX_LISTED))
        )
        with self._engine.connect() as connection:
            return [_build_wish(row, now) for row in connection.execute(statement)]

    def require(self, number: int, now: datetime) -> ContactWish:
        """Return one contact request that is not over; raise ContactUnknownError."""
        statement = select(gateway_contacts).where(
            gateway_contacts.c.number == number,
            gateway_contacts.c.until_at > int(now.timestamp()),
        )
        with self._engine.connect() as connection:
            row = connection.execute(statement).first()
        if row is None:
            raise ContactUnknownError
        return _build_wish(row, now)

    def mark(self, number: int, state: Literal["seen", "answered"]) -> None:
        """Write that it was seen or answered; it never goes back. Raises ContactUnknownError."""
        this = gateway_contacts.c.number == number
        earlier = _ORDER[: _ORDER.index(state)]
        with self._engine.begin() as connection:
            if connection.execute(select(gateway_contacts.c.number).where(this)).first() is None:
                raise ContactUnknownError
            connection.execute(
                update(gateway_contacts)
                .where(this, gateway_contacts.c.state.in_(earlier))
                .values(state=state)
            )


def add_contact(connection: Connection, delivery: ContactDelivery, now: datetime) -> None:
    """Keep a delivery, once; what is over is let go."""
    gone = gateway_contacts.c.until_at <= int(now.timestamp())
    connection.execute(delete(gateway_contacts).where(gone))
    same = gateway_contacts.c.reference == delivery.contact_request
    if connection.execute(select(gateway_contacts.c.number).where(same)).first() is not None:
        return
    client = connection.execute(
        select(involvements.c.client).where(involvements.c.reference == delivery.involvement)
    ).scalar()
    connection.execute(
        insert(gateway_contacts).values(
            reference=delivery.contact_request,
            client=client,
            requester=delivery.requester,
            call_back=encode_canonical(delivery.call_back.model_dump(mode="json")),
            asked_at=int(delivery.asked_at.timestamp()),
            due_at=int(delivery.due_at.timestamp()),
            until_at=int(delivery.until_at.timestamp()),
            state="new",
        )
    )


def _build_wish(row: Row[Any], now: datetime) -> ContactWish:
    overdue = row.state != "answered" and row.due_at <= now.timestamp()
    return ContactWish(
        number=row.number,
        reference=row.reference,
        client=row.client,
        requester=row.requester,
        call_back=Contact.model_validate_json(row.call_back),
        asked_at=datetime.fromtimestamp(row.asked_at, UTC),
        due_at=datetime.fromtimestamp(row.due_at, UTC),
        until_at=datetime.fromtimestamp(row.until_at, UTC),
        state="overdue" if overdue else row.state,
        is_seen=row.state != "new",
    )
