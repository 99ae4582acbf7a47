"""The service of a partner's own software: every act under one roof, by the partner's own numbers.

Rule: nothing here decides anything about a person; it names, sends, verifies and keeps.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.client.contacts import Contacts
from connectors.client.desk import build_act_results
from connectors.client.figures import OwnUse
from connectors.client.occasions import Occasions
from connectors.client.outgoing import Draft
from connectors.client.questions import Questions
from connectors.client.records import Records
from connectors.client.registrations import Registrations, build_registration
from connectors.client.requests import OpenOccasion, RedeemIntroduction, RegistrationRow
from connectors.client.results import ActResults, PurposeInfo, PurposeList
from connectors.errors import ReferenceUnknownError
from datwat.party import clock
from datwat.protocol.acts import Professional


class ClientService(Registrations, Occasions, Records, Questions, Contacts, OwnUse):
    """All that a partner's software can do; `sync` is in `sync.py`."""

    def waiting_at_most(self, patience: timedelta) -> ClientService:
        """Return the same service for somebody in front of a screen, who waits no longer."""
        exchange = self.exchange.waiting_at_most(patience)
        service = ClientService(exchange, self.store, self.policy, self.source)
        service.contact_book = self.contact_book
        return service

    async def redeem_introduction(self, request: RedeemIntroduction) -> ActResults:
        """Redeem a one-time code under a client number of one's own.

        The code names the client in the registration, or the member with this number of the
        occasion that is opened. Raises ReferenceUnknownError where no member has it.
        """
        named = {"client": request.client, "introduction": request.code}
        if request.registers is not None:
            row = request.registers.model_copy(update=named)
            return await self._register_introduced(request.professional, row)
        assert request.occasion is not None  # noqa: S101 - the model has exactly one of the two
        members = tuple(
            member.model_copy(update=named) if member.client == request.client else member
            for member in request.occasion.members
        )
        if members == request.occasion.members:
            raise ReferenceUnknownError(place="$.client")
        opening = request.occasion.model_copy(update={"members": members})
        return await self.open_occasion(OpenOccasion.model_validate(opening))

    async def list_purposes(self) -> PurposeList:
        """Return the purposes of the signed bundle in force."""
        bundle = await self.policy.require_bundle()
        purposes = tuple(
            PurposeInfo(
                id=purpose.id,
                title_nl=purpose.title.nl,
                title_en=purpose.title.en,
                domain=purpose.domain,
            )
            for purpose in bundle.view.list_in_force(clock.now())
        )
        return PurposeList(revision=bundle.revision, purposes=purposes)

    async def _register_introduced(
        self, professional: Professional, row: RegistrationRow
    ) -> ActResults:
        persons = await self.resolve([row], [build_registration(row)])
        draft = Draft("register", persons, self.build_statement(professional))
        keys = [(row.client, row.kind)]
        context = {"keys": [list(key) for key in keys], "run": None}
        done = await self.carry_out(draft, [row.client], context)
        self.take_registrations(done, keys, None)
        return build_act_results(done, [row.client])
