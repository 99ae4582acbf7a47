"""Answering contact requests that other partners sent through the broker.

Rule: towards the requester a request is only *sent*, seen or answered; who answers is named by the
handle of the client whom the request is about (protocol.md section 5). The gateway keeps what
arrived; the composition hands its book to the client, so that neither room knows the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from connectors.client.desk import Desk
from connectors.client.requests import AnswerContact
from connectors.client.results import ActResults, ContactInfo, ContactList
from connectors.errors import ReferenceUnknownError
from datwat.party import clock
from datwat.protocol.acts import Contact


class ContactWish(Protocol):
    """A contact request as the gateway keeps it."""

    @property
    def number(self) -> int:
        """The number that the partner's own software gets to see."""

    @property
    def reference(self) -> bytes:
        """The broker's reference, for this partner only."""

    @property
    def client(self) -> str | None:
        """The client whom it is about, or None where the involvement is not known any more."""

    @property
    def requester(self) -> str:
        """The id of who asks."""

    @property
    def call_back(self) -> Contact:
        """Where to call."""

    @property
    def asked_at(self) -> datetime:
        """When it was asked."""

    @property
    def due_at(self) -> datetime:
        """When it is overdue."""

    @property
    def until_at(self) -> datetime:
        """When it is over."""

    @property
    def state(self) -> str:
        """How far it is."""

    @property
    def is_seen(self) -> bool:
        """Whether it was said to be seen, also where it is overdue."""


class ContactBook(Protocol):
    """Where the contact requests lie that reached this partner."""

    def list_open(self, now: datetime) -> Sequence[ContactWish]:
        """Return what nobody has answered yet and is not over, the newest first."""

    def require(self, number: int, now: datetime) -> ContactWish:
        """Return one that is not over; raise PartyError."""

    def mark(self, number: int, state: Literal["seen", "answered"]) -> None:
        """Write that it was seen or answered."""


class Contacts(Desk):
    """What the gateway keeps of contact requests, and the answer to one."""

    contact_book: ContactBook | None = None

    def list_contacts(self) -> ContactList:
        """Return the contact requests that reached this partner and are not answered."""
        if self.contact_book is None:
            return ContactList(contacts=())
        wishes = self.contact_book.list_open(clock.now())
        return ContactList(contacts=tuple(_build_info(wish) for wish in wishes))

    async def answer_contact(self, request: AnswerContact) -> ActResults:
        """Say that a contact request was seen or answered, by the number of its delivery.

        Raises ReferenceUnknownError where its client is not known here, ContactUnknownError.
        """
        if self.contact_book is None:
            raise ReferenceUnknownError(place="$.contact")
        wish = self.contact_book.require(request.contact, clock.now())
        if wish.client is None:
            raise ReferenceUnknownError(place="$.contact")
        members = {"contact_request": wish.reference, "contact_state": request.state}
        statement = self.build_statement(request.professional)
        results = await self.about("answer_contact", [wish.client], [members], statement)
        if results.results[0].weighing.permitted:
            self.contact_book.mark(request.contact, request.state)
        return results


def _build_info(wish: ContactWish) -> ContactInfo:
    return ContactInfo(
        number=wish.number,
        client=wish.client,
        requester=wish.requester,
        call_back=wish.call_back,
        asked_at=wish.asked_at,
        due_at=wish.due_at,
        until_at=wish.until_at,
        state=wish.state,
        is_seen=wish.is_seen,
    )
