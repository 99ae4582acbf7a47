"""What the screens have of the connector: the service, the words of the signed bundle, who is who.

Rule: words come from the bundle in force, so that staff and resident read the same; names of
organisations come from the trust list, never from who answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connectors.client.identity import require_bsn, require_same_person
from connectors.client.own_acts import OwnActs
from connectors.client.own_occasions import OwnOccasion
from connectors.client.service import ClientService
from connectors.pages.drafts import Drafts
from connectors.pages.question import Person, Question
from connectors.pages.staff import Staff
from datwat.party import clock
from datwat.party.errors import PartyError
from datwat.party.problems import NotFoundError
from datwat.protocol.bundle import Bundle
from datwat.protocol.catalogue import EdgeView, PurposeView
from datwat.protocol.texts import Param, Texts
from datwat.protocol.trust import Partner
from datwat.protocol.values import derive_function
from datwat.web.i18n import Code
from datwat.web.site import Visit


@dataclass(frozen=True)
class Words:
    """The words of one bundle in one language."""

    bundle: Bundle
    code: Code

    def say(self, code: str, params: Mapping[str, Param] | None = None) -> str:
        """Return the sentence for a code, or the code itself."""
        return Texts(self.bundle.texts).render(code, self.code, params)

    def name(self, code: str) -> str:
        """Return the words for a code as a heading begins: with a capital."""
        text = self.say(code)
        return text[:1].upper() + text[1:]

    def list(self, codes: Iterable[str]) -> str:
        """Return the words for codes as one sentence names them."""
        said = sorted({self.say(code) for code in codes})
        if len(said) < 2:  # noqa: PLR2004 - one or none needs no "and"
            return "".join(said)
        last = {"nl": "en", "en": "and"}[self.code]
        return f"{', '.join(said[:-1])} {last} {said[-1]}"

    def require_purpose(self, purpose: str) -> PurposeView:
        """Return a purpose of the bundle, as it is now; raise NotFoundError."""
        found = self.bundle.view.find_shown(purpose, clock.now())
        if found is None:
            raise NotFoundError
        return found

    def list_purposes(self) -> Sequence[PurposeView]:
        """Return the purposes in force."""
        return self.bundle.view.list_in_force(clock.now())

    @property
    def purpose_ids(self) -> Sequence[str]:
        """The ids of the purposes in force."""
        return tuple(one.id for one in self.list_purposes())

    def title(self, purpose: str) -> str:
        """Return what a purpose is called."""
        return self.require_purpose(purpose).title.render(self.code)


class StaffDesk:
    """The connector as the pages of its staff see it."""

    def __init__(self, service: ClientService, drafts: Drafts) -> None:
        """Keep the service, of which every act is, and what may wait for its writer."""
        self.service = service
        self._drafts = drafts
        self.acts = OwnActs(service.store.engine)

    @property
    def own(self) -> Partner | None:
        """This partner, as the trust list has it."""
        return self.service.exchange.directory.partners.get(self.service.exchange.party_id)

    @property
    def function(self) -> str:
        """What this partner does."""
        return derive_function(self.service.exchange.party_id)

    @property
    def may_use_bsn(self) -> bool:
        """Whether a law lets this partner use the BSN; the key holder holds it to that."""
        return self.own is not None and self.own.may_use_bsn

    async def find_words(self, visit: Visit[Staff]) -> Words:
        """Return the words of the bundle in force; raise PeerError where none was ever had."""
        if visit.found is not None:
            staff = visit.session.held
            self._drafts.see(staff.professional.id, staff.questions, visit.now)
        return Words(await self.service.policy.require_bundle(), visit.speech.code)

    def find_name(self, party_id: str) -> str:
        """Return the name of a partner of the trust list, or its id."""
        partner = self.service.exchange.directory.partners.get(party_id)
        return partner.name if partner is not None else party_id

    def list_occasions(self, staff: Staff, now: datetime) -> tuple[OwnOccasion, ...]:
        """Return the open occasions that somebody works on."""
        return self.service.own_occasions.list_for(staff.professional.id, now)

    def find_occasion(self, staff: Staff, number: str) -> OwnOccasion | None:
        """Return one of them by its number."""
        return self.service.own_occasions.find_for(staff.professional.id, number, clock.now())

    def list_edges(self, purpose: PurposeView, source: str | None) -> tuple[EdgeView, ...]:
        """Return what a source may give this partner for a purpose, as the bundle says it."""
        giver = derive_function(source) if source else ""
        return tuple(
            edge
            for edge in purpose.edges
            if edge.source == giver and edge.requester == self.function
        )

    async def find_person(self, number: str) -> Person:
        """Return somebody by the own number, by the name that the own system has for them."""
        try:
            record = await self.service.find_own_record(number)
        except PartyError:  # the own system is away: the number is enough
            record = None
        return Person(number, record.family_name if record else "")

    async def identify(self, number: str, name: str, birth_date: date) -> Person:
        """Return somebody with name and date of birth, held against the own record if there is one.

        A record with the BSN is wanted of whom neither a handle nor the own system knows. Raises
        IdentityMismatchError, ClientNumberError: nothing was sent. Raises SourceError where the own
        system is away.
        """
        record = await self.service.find_own_record(number)
        if record is not None:
            require_same_person(record, name, birth_date)
            if record.bsn is not None:
                require_bsn(number, record.bsn)
        known = self.service.store.find_handles([number], clock.now())
        has_bsn = record is not None and record.bsn is not None
        identity = record.identity if record is not None else None
        needs_record = number not in known and not has_bsn
        return Person(number, name, birth_date, identity=identity, needs_record=needs_record)


def require_question(visit: Visit[Staff]) -> Question:
    """Return the question that an address names, of this very session; raise NotFoundError."""
    return visit.session.held.require(int(visit.request.path_params["question"]))
