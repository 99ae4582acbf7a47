"""From an event of a case to the request that a partner's own software would make. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.client import requests
from datwat.protocol.acts import (
    Consent,
    Contact,
    Conversation,
    Handler,
    Motivation,
    OccasionStatement,
    Professional,
    SpecialSituation,
)
from demo.events import Ask, AskKnown, RecordConsent, Register, RequestContact
from demo.model import Case
from demo.parts import ConsentGiven, Member, Opening, Registers, Situation, Talk, shift


@dataclass(frozen=True)
class Builder:
    """What requests of one case are made with; `entitled` are the functions with a BSN right."""

    case: Case
    partner_id: Callable[[str], str]
    entitled: frozenset[str]

    def find_function(self, by: str) -> str:
        """Return the partner at which a professional works."""
        return self.case.professionals[by].partner

    def build_professional(self, by: str) -> Professional:
        """Return who acts."""
        return Professional(id=by, role=self.case.professionals[by].role)

    def build_ref(self, key: str, function: str) -> dict[str, Any]:
        """Return a person as this partner's software names them, with the BSN where it may."""
        person = self.case.people[key]
        ref: dict[str, Any] = {"client": person.numbers[function], "identity": "document"}
        if function not in self.entitled:
            return ref
        record = requests.BsnRecord(
            bsn=person.bsn, family_name=person.family_name, birth_date=person.born
        )
        named = {"family_name": person.family_name, "birth_date": person.born}
        return {**ref, **named, "record": record}

    def build_opening(self, opening: Opening, by: str, now: datetime) -> requests.OpenOccasion:
        """Return the opening of an occasion; the professional leads on it."""
        function = self.find_function(by)
        leads = Handler(professional=by, role="coordinator", from_at=shift(now, "-1m"))
        statement = OccasionStatement(
            kind=opening.kind,
            team=opening.team,
            handlers=(leads,),
            confidential=opening.confidential,
            inform_by=shift(now, opening.inform_by) if opening.inform_by else None,
            special_situation=_build_situation(opening.situation, now),
        )
        members = tuple(
            self._build_member(key, member, function, now)
            for key, member in opening.members.items()
        )
        return requests.OpenOccasion(
            professional=self.build_professional(by),
            occasion=opening.occasion,
            opens=statement,
            members=members,
        )

    def _build_member(
        self, key: str, member: Member, function: str, now: datetime
    ) -> requests.Member:
        return requests.Member(
            **self.build_ref(key, function),
            role=member.role,
            source=member.source,
            told_at=shift(now, member.told) if member.told else None,
            age_band=self.case.people[key].age,
            conversation=_build_talk(member.talk, now),
        )

    def build_row(
        self, key: str, registers: Registers, function: str, now: datetime
    ) -> requests.RegistrationRow:
        """Return an involvement to register."""
        return requests.RegistrationRow(
            **self.build_ref(key, function),
            kind=registers.kind,
            contact=Contact(**registers.contact),
            since_at=shift(now, registers.since),
            told_at=shift(now, registers.told) if registers.told else None,
        )

    def build_register(self, event: Register, now: datetime) -> requests.Register:
        """Return a registration."""
        function = self.find_function(event.by)
        row = self.build_row(event.person, event.registers, function, now)
        return requests.Register(professional=self.build_professional(event.by), rows=(row,))

    def build_ask(self, event: Ask) -> requests.Ask:
        """Return an inquiry."""
        function = self.find_function(event.by)
        refs = tuple(
            requests.ClientRef(client=self.case.people[key].numbers[function])
            for key in event.persons
        )
        return requests.Ask(
            professional=self.build_professional(event.by),
            clients=refs,
            occasion=event.occasion,
            purpose=event.purpose,
        )

    def build_ask_known(self, event: AskKnown, pointer: int | None) -> requests.AskKnown:
        """Return the question for a release, citing an involvement that was shown, if one was."""
        function = self.find_function(event.by)
        return requests.AskKnown(
            professional=self.build_professional(event.by),
            client=requests.ClientRef(**self.build_ref(event.person, function)),
            occasion=event.occasion,
            purpose=event.purpose,
            pointer=pointer,
            source=self.partner_id(event.source),
            product=event.product,
            fields=event.fields,
            motivation=Motivation(**self.case.motivation),
        )

    def build_contact(self, event: RequestContact) -> requests.RequestContact:
        """Return a contact request."""
        function = self.find_function(event.by)
        number = self.case.people[event.person].numbers[function]
        return requests.RequestContact(
            professional=self.build_professional(event.by),
            client=requests.ClientRef(client=number),
            occasion=event.occasion,
            purpose=event.purpose,
            source=self.partner_id(event.source),
            call_back=Contact(**event.call_back),
        )

    def build_consent(self, event: RecordConsent, now: datetime) -> requests.RecordConsent:
        """Return a consent to record."""
        function = self.find_function(event.by)
        return requests.RecordConsent(
            professional=self.build_professional(event.by),
            occasion=event.occasion,
            client=self.case.people[event.person].numbers[function],
            consent=self._build_given(event.consent, now),
        )

    def _build_given(self, given: ConsentGiven, now: datetime) -> Consent:
        return Consent(
            kind=given.kind,
            purpose=given.purpose,
            product=given.product,
            source=self.partner_id(given.source),
            requester=self.partner_id(given.requester),
            given_by=given.given_by,
            written=given.written,
            given_at=shift(now, given.given),
            until_at=shift(now, given.until),
        )


def _build_talk(talk: Talk | None, now: datetime) -> Conversation | None:
    if talk is None:
        return None
    return Conversation(
        at=shift(now, talk.at),
        told=talk.told,
        reaction=talk.reaction,
        alternatives=talk.alternatives,
    )


def _build_situation(situation: Situation | None, now: datetime) -> SpecialSituation | None:
    if situation is None:
        return None
    return SpecialSituation(
        ground=situation.ground,
        decider=Professional(id=situation.decider.id, role=situation.decider.role),
        until_at=shift(now, situation.term),
        opening=situation.opening,
        reason=situation.reason,
    )
