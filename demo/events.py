"""What can happen in a case, and what of it is said to the reader."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from demo.parts import ConsentGiven, Expected, Opening, Part, Registers, Span


class Event(Part):
    """Base of what happens: what is said of it to the reader, and a name to refer to it."""

    say: str
    name: str | None = None


class Acting(Event):
    """Something that a professional does."""

    by: str


class OpenOccasion(Acting, Opening):
    """A professional opens an occasion."""

    do: Literal["open_occasion"]


class Register(Acting):
    """A partner registers that it is involved."""

    do: Literal["register"]
    person: str
    registers: Registers


class Ask(Acting):
    """Who is involved?"""

    do: Literal["ask"]
    occasion: str
    purpose: str
    persons: tuple[str, ...]
    expect: dict[str, Expected]


class AskKnown(Acting):
    """What is known? `motivation` is the case's own where there is none here."""

    do: Literal["ask_known"]
    occasion: str | None = None
    purpose: str
    person: str
    source: str
    product: str
    fields: tuple[str, ...]
    expect: Expected


class Introduce(Acting):
    """Hand a person to another partner by a one-time code, kept here under `code`."""

    do: Literal["introduce"]
    occasion: str
    person: str
    to: str
    code: str


class Redeem(Acting):
    """Use a code, to register or to open an occasion."""

    do: Literal["redeem"]
    code: str
    person: str
    registers: Registers | None = None
    opens: Opening | None = None


class RequestContact(Acting):
    """Ask to be called."""

    do: Literal["request_contact"]
    occasion: str
    purpose: str
    person: str
    source: str
    call_back: dict[str, str]
    expect: Expected


class AnswerContact(Acting):
    """A colleague of the source sees who wants to be called about a person, and calls."""

    do: Literal["answer_contact"]
    person: str
    state: Literal["seen", "answered"]


class RecordConsent(Acting):
    """Write a consent down."""

    do: Literal["record_consent"]
    occasion: str
    person: str
    consent: ConsentGiven


class Withdraw(Event):
    """A resident takes a consent back at the portal."""

    do: Literal["withdraw"]
    who: str
    purpose: str


class Look(Event):
    """Read somebody's log; `through` is who represents them. `same_as` names an earlier look."""

    do: Literal["look"]
    who: str
    through: str | None = None
    same_as: str | None = None


class Compare(Event):
    """Lay two earlier answers side by side, blade by blade."""

    do: Literal["compare"]
    steps: tuple[str, str]


class Term(Event):
    """Wait for the end of the special situation's term, and see that it is overdue."""

    do: Literal["term"]


class OpenSituation(Event):
    """A named person opens what waited."""

    do: Literal["open_situation"]
    by: str
    role: str


class OfficerActs(Event):
    """Something that an officer of the broker does with a purpose.

    `refused` is part of the sentence with which it is refused; None: it is done.
    """

    by: str
    refused: str | None = None


class FieldAdded(Part):
    """A field that a purpose is to let through, and why."""

    source: str
    requester: str
    field: str
    why: dict[str, str]


class WriteDraft(OfficerActs):
    """Begin a draft of a purpose in force: one field more, from a moment that is to come."""

    do: Literal["write_draft"]
    purpose: str
    adds: FieldAdded
    begins: Span


class TryDraft(OfficerActs):
    """Put the cases to the draft."""

    do: Literal["try_draft"]


class ReplayDraft(OfficerActs):
    """Weigh what was asked before under the draft; so much at least is newly allowed."""

    do: Literal["replay_draft"]
    newly_allowed: int


class SignOff(OfficerActs):
    """Say that what is newly allowed is meant."""

    do: Literal["sign_off"]


class Propose(OfficerActs):
    """Propose the draft."""

    do: Literal["propose"]


class Approve(OfficerActs):
    """Sign what is proposed; `published`: it was the last signature that was needed."""

    do: Literal["approve"]
    published: bool = False


class AwaitForce(OfficerActs):
    """Wait for the moment from which the draft is in force: it comes by itself."""

    do: Literal["await_force"]


class RollBack(OfficerActs):
    """Propose that what was in force before is so again."""

    do: Literal["roll_back"]
    reason: str


OfficerEvent = (
    WriteDraft | TryDraft | ReplayDraft | SignOff | Propose | Approve | AwaitForce | RollBack
)
AnyEvent = Annotated[
    OpenOccasion
    | Register
    | Ask
    | AskKnown
    | Introduce
    | Redeem
    | RequestContact
    | AnswerContact
    | RecordConsent
    | Withdraw
    | Look
    | Compare
    | Term
    | OpenSituation
    | WriteDraft
    | TryDraft
    | ReplayDraft
    | SignOff
    | Propose
    | Approve
    | AwaitForce
    | RollBack,
    Field(discriminator="do"),
]
