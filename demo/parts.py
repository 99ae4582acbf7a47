"""What a case is made of: people, conversations, consents, and what must come out.

Rule: test BSNs only (they begin with 99999 and pass the eleven-test); a member that nobody reads is
refused, so that an expectation with a slip of the pen cannot pass unnoticed.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from datwat.protocol.acts import AgeBand
from datwat.protocol.blinding import BsnError, normalise_bsn
from datwat.protocol.messages import Rung
from datwat.protocol.values import FormError

_SPAN = re.compile(r"^([+-])([0-9]+)([smhd])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TEST_PREFIX = "99999"


def parse_span(text: str) -> timedelta:
    """Return a span such as `-7d` or `+15s`; raise FormError for another form."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise FormError("A moment is written as a span from now, such as -7d or +15s.")
    span = timedelta(**{_UNITS[match[3]]: int(match[2])})
    return span if match[1] == "+" else -span


def shift(now: datetime, span: str) -> datetime:
    """Return the moment that lies a span from `now`, in whole seconds."""
    return (now + parse_span(span)).replace(microsecond=0)


def _require_span(text: str) -> str:
    parse_span(text)
    return text


def _require_test_bsn(text: str) -> str:
    if not text.startswith(_TEST_PREFIX):
        raise FormError("A case uses test numbers only: they begin with 99999.")
    try:
        return normalise_bsn(text)
    except BsnError as error:
        raise FormError(error.detail) from None


Span = Annotated[str, AfterValidator(_require_span)]
TestBsn = Annotated[str, AfterValidator(_require_test_bsn), Field(repr=False)]


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
