"""Answering contact requests that other partners sent through the broker.

Rule: towards the requester a request is only *sent*, seen or answered; who answers is named by the
handle of the client whom the request is about (protocol.md section 5).
"""

from __future__ import annotations

from connectors.client.desk import Desk
from connectors.client.requests import AnswerContact
from connectors.client.results import ActResults, ContactInfo, ContactList
from connectors.errors import ReferenceUnknownError
from connectors.gateway.contacts import ContactBook
from datwat.party import clock


class Contacts(Desk):
    """What the gateway keeps of contact requests, and the answer to one."""

    contact_book: ContactBook | None = None

    def list_contacts(self) -> ContactList:
        """Return the contact requests that reached this partner and are not answered."""
        if self.contact_book is None:
            return ContactList(contacts=())
        wishes = self.contact_book.list_open(clock.now())
        return ContactList(
            contacts=tuple(
                ContactInfo.model_validate(wish.model_dump(exclude={"reference"}))
                for wish in wishes
            )
        )

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
