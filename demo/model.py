"""A case as it stands in its file: people, what happens, what must come out, each resident's log.

Rule: test BSNs only (they begin with 99999 and pass the eleven-test); a member that nobody reads is
refused, so that an expectation with a slip of the pen cannot pass unnoticed.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from datwat.protocol.acts import AgeBand
from datwat.protocol.blinding import BsnError, normalise_bsn
from datwat.protocol.messages import RUNGS

CASES = Path(__file__).parent / "cases"
_SPAN = re.compile(r"^([+-])([0-9]+)([smhd])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TEST_PREFIX = "99999"


def parse_span(text: str) -> timedelta:
    """Return a span such as `-7d` or `+15s`; raise ValueError for another form."""
    match = _SPAN.fullmatch(text)
    if match is None:
        msg = "a moment is written as a span from now, such as -7d or +15s"
        raise ValueError(msg)
    span = timedelta(**{_UNITS[match[3]]: int(match[2])})
    return span if match[1] == "+" else -span


def _require_span(text: str) -> str:
    parse_span(text)
    return text


def _require_test_bsn(text: str) -> str:
    if not text.startswith(_TEST_PREFIX):
        msg = "a case uses test numbers only: they begin with 99999"
        raise ValueError(msg)
    try:
        return normalise_bsn(text)
    except BsnError as error:
        raise ValueError(error.detail) from None


Span = Annotated[str, AfterValidator(_require_span)]
TestBsn = Annotated[str, AfterValidator(_require_test_bsn), Field(repr=False)]
Rung = Literal["none", "contact", "category", "dat", "wat"]
assert RUNGS == ("none", "contact", "category", "dat", "wat")  # noqa: S101 - one ladder


class Part(BaseModel):
    """Base: what a case file may hold, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Someone(Part):
    """A resident, with what partners call them: `numbers` by the partner's function."""

    called: str
    family_name: str
    born: date
    bsn: TestBsn
    age: AgeBand
    numbers: dict[str, str]


class Worker(Part):
    """A professional, at a partner."""

    partner: str
    role: str


class Talk(Part):
    """A conversation with a person beforehand."""

    at: Span
    told: str
    alternatives: str
    reaction: Literal["agrees", "objects", "none", "not_told"]


class Member(Part):
    """A member of the household on an occasion."""

    role: str
    source: Literal["told", "register", "observed"]
    told: Span | None = None
    talk: Talk | None = None


class Decider(Part):
    """Who decided that telling may wait."""

    id: str
    role: str


class Situation(Part):
    """A special situation; `term` counts from the moment that it is declared."""

    ground: str
    decider: Decider
    term: Span
    opening: Literal["automatic", "by_person"]
    reason: str


class Opening(Part):
    """An occasion to open."""

    occasion: str
    kind: Literal["help_request", "report", "signal", "statutory_task", "crisis"]
    team: str
    members: dict[str, Member]
    confidential: bool = False
    inform_by: Span | None = None
    situation: Situation | None = None


class Registers(Part):
    """An involvement to register."""

    kind: str
    contact: dict[str, str]
    since: Span
    told: Span | None = None


class ConsentGiven(Part):
    """A consent or written no-objection; source and requester by function."""

    kind: Literal["explicit", "no_objection"]
    purpose: str
    product: str
    source: str
    requester: str
    given_by: Literal["self", "representative", "both"]
    written: bool
    given: Span
    until: Span


class SeenPointer(Part):
    """An involvement that must be shown; None where the rung hides it."""

    source: str | None
    kind: str | None
    rung: Rung


class Expected(Part):
    """What must come out for one person. What is not stated (None) is not looked at.

    `unmet` must be among the conditions that were told as not met, `values` be exactly what was
    released, `withheld` the code per field.
    """

    permitted: bool = True
    pointers: tuple[SeenPointer, ...] | None = None
    unmet: tuple[str, ...] = ()
    values: dict[str, Any] | None = None
    withheld: dict[str, str] | None = None
    open: Rung | None = None
    alternatives: tuple[str, ...] = ()
    state: str | None = None


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


class Line(Part):
    """One card of a resident's log; what is None is not looked at. `by` is a function."""

    event: str
    by: str
    permitted: bool
    pointers: tuple[str, ...] | None = None
    given: tuple[str, ...] | None = None
    withheld: tuple[str, ...] | None = None
    unmet: tuple[str, ...] = ()
    later: bool = False


class LogExpected(Part):
    """A whole log, oldest first, as seen by the person or by who represents them (`through`).

    `never` are words that must not occur anywhere in it, proofs included.
    """

    who: str
    through: str | None = None
    never: tuple[str, ...] = ()
    lines: tuple[Line, ...]


class Case(Part):
    """One of the six cases."""

    number: int
    title: str
    story: str
    lesson: str
    people: dict[str, Someone]
    professionals: dict[str, Worker]
    motivation: dict[str, str] = {}
    events: tuple[AnyEvent, ...]
    logs: tuple[LogExpected, ...]


class PartnerDeclared(Part):
    """A partner of the covenant; `system` names the declaration of its own system."""

    function: str
    name: str
    domain: str
    contact: str
    profile: str
    rights: tuple[str, ...] = ()
    system: str | None = None


def load_cases(folder: Path = CASES) -> tuple[Case, ...]:
    """Return every case of a folder by number; raise ValidationError with the place of a fault."""
    cases = [Case.model_validate(_read(path)) for path in sorted(folder.glob("case*.yaml"))]
    return tuple(sorted(cases, key=lambda case: case.number))


def load_partners(path: Path = CASES.parent / "partners.yaml") -> tuple[PartnerDeclared, ...]:
    """Return the partners of the demo's covenant."""
    return tuple(PartnerDeclared.model_validate(one) for one in _read(path))


def shift(now: datetime, span: str) -> datetime:
    """Return the moment that lies a span from `now`, in whole seconds."""
    return (now + parse_span(span)).replace(microsecond=0)


def _read(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text(encoding="utf-8"))
