"""A question as somebody of the staff puts it together, page by page: in their session, in memory.

Rules: a client number, a name or a BSN stands in no address and in no database; a BSN is held until
the message that blinds it was sent, and not longer; what was released is held until the session
ends. Nothing here decides: the client sends, the broker weighs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Self, cast

from connectors.client.requests import BsnRecord, ClientRef, Member
from connectors.client.results import InquiryResult, ReleaseResult, ShownPointer
from datwat.protocol.acts import AgeBand, Contact, Conversation, Identity, Motivation
from datwat.protocol.catalogue import EdgeView


@dataclass
class Person:
    """Somebody by the partner's own number, with name and date of birth as the staff have them.

    `record` is what the BSN comes from, where the own system has none: until it was sent. It is
    wanted (`needs_record`) where this connector has not met them yet.
    """

    number: str = field(repr=False)
    name: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    record: BsnRecord | None = field(default=None, repr=False)
    identity: Identity | None = None
    needs_record: bool = False

    @property
    def called(self) -> str:
        """How a page calls them: the name where there is one, and always the number."""
        return f"{self.name} ({self.number})" if self.name else self.number

    def build_ref(self) -> ClientRef:
        """Return them as the client names them."""
        return ClientRef.model_validate(self.build_members())

    def build_members(self) -> dict[str, object]:
        """Return what a reference to them states."""
        members: dict[str, object] = {"client": self.number, "identity": self.identity}
        if self.name and self.birth_date:
            members |= {"family_name": self.name, "birth_date": self.birth_date}
        if self.record is not None:
            members["record"] = self.record
        return members

    def without_record(self) -> Person:
        """Return them without the BSN, which is then asked again."""
        has_record = self.record is not None
        return replace(self, record=None, needs_record=self.needs_record or has_record)

    def forget_record(self) -> None:
        """Let go of the BSN: from now on there is a handle."""
        self.record = None
        self.needs_record = False


@dataclass
class Housemate:
    """A member of the household on an occasion that is being opened."""

    person: Person
    role: str
    source: str
    age_band: AgeBand
    conversation: Conversation | None = field(default=None, repr=False)

    @classmethod
    def build(cls, person: Person, role: str, source: str, age_band: str) -> Self:
        """Return a member; `age_band` is one of those that the acts know."""
        return cls(person, role, source, cast("AgeBand", age_band))

    def build_member(self, *, may_look_up: bool) -> Member:
        """Return them as the opening states them."""
        return Member.model_validate(
            {
                **self.person.build_members(),
                "role": self.role,
                "source": self.source,
                "age_band": self.age_band,
                "may_look_up": may_look_up,
                "told_at": self.conversation.at if self.conversation else None,
                "conversation": self.conversation,
            }
        )


@dataclass
class Opening:
    """An occasion that is being opened."""

    kind: str
    team: str
    number: str
    inform_by: date | None = None
    household: list[Housemate] = field(default_factory=list, repr=False)


@dataclass
class Wanted:
    """Data that is being asked of one source about one person, until it is sent and answered."""

    pointer: ShownPointer = field(repr=False)
    person: Person = field(repr=False)
    edge: EdgeView
    fields: tuple[str, ...] = ()
    told: str = ""
    conversation: Conversation | None = field(default=None, repr=False)
    motivation: Motivation = field(default_factory=Motivation, repr=False)
    result: ReleaseResult | None = field(default=None, repr=False)
    answered_at: datetime | None = None

    def build_draft(self, person: Person) -> Wanted:
        """Return what was filled in, with no more of the involvement than whom it is asked of."""
        pointer = ShownPointer(
            pointer=self.pointer.pointer,
            rung=self.pointer.rung,
            contact=Contact(role="-"),
            domain=None,
            source=self.pointer.source,
            source_name=self.pointer.source_name,
            kind=None,
            since_at=None,
            as_of=None,
        )
        return replace(self, pointer=pointer, person=person)


@dataclass
class Question:
    """One question of this session; `number` says nothing about anybody.

    `has_chosen` is whether the persons were ticked, and not only named in the household.
    """

    number: int
    purpose: str
    occasion: str = ""
    opening: Opening | None = field(default=None, repr=False)
    persons: list[Person] = field(default_factory=list, repr=False)
    has_chosen: bool = False
    shown: list[InquiryResult] = field(default_factory=list, repr=False)
    shown_at: datetime | None = None
    wanted: dict[int, Wanted] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """Where the pages of this question lie."""
        return f"/ask/{self.number}"

    def build_draft(self) -> Question:
        """Return what was filled in, without any answer and any BSN: it may wait for its writer."""
        draft = replace(self, shown=[], shown_at=None)
        draft.persons = [person.without_record() for person in self.persons]
        draft.wanted = {
            number: one.build_draft(draft.find_person(one.person.number) or one.person)
            for number, one in self.wanted.items()
            if one.result is None
        }
        if self.opening is not None:
            household = [
                replace(mate, person=mate.person.without_record())
                for mate in self.opening.household
            ]
            draft.opening = replace(self.opening, household=household)
        return draft

    def find_unidentified(self) -> Person | None:
        """Return the first person of whom a record with the BSN is wanted."""
        household = self.opening.household if self.opening else []
        everybody = [*(mate.person for mate in household), *self.persons]
        return next((person for person in everybody if person.needs_record), None)

    def find_person(self, number: str) -> Person | None:
        """Return one of the persons by the partner's own number."""
        return next((person for person in self.persons if person.number == number), None)

    def list_pointers(self) -> list[tuple[InquiryResult, ShownPointer]]:
        """Return what was shown, in the order of the page: the place in it is its number there."""
        return [(result, pointer) for result in self.shown for pointer in result.pointers]

    def want(self, wanted: Wanted) -> int:
        """Return the number of a new question for data."""
        number = max(self.wanted, default=0) + 1
        self.wanted[number] = wanted
        return number
