"""What can happen in a case, and what of it is said to the reader."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from demo.parts import ConsentGiven, Expected, Opening, Part, Registers


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
    | OpenSituation,
    Field(discriminator="do"),
]
