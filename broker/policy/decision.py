"""The decision that OPA gives about one person: findings, caps, fields and obligations, total.

Anything that does not parse into `Decision` is a denial (`engine.py`). Python looks up and passes
on what is here; it computes no permission of its own.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from broker.policy.evaluation import Act
from datwat.protocol.answers import Obligation, WithheldField
from datwat.protocol.messages import Blade, FieldPath, LegalBasis, Notice, Rung
from datwat.protocol.values import Slug, Value

EntryPoint = Literal["register", "occasion", "ask", "introduce"]


class WeighedFinding(Value):
    """One result of one blade, and whether the requester may learn it.

    `stated`: from what the requester itself said or is: explained to it. `person`: a fact of the
    person: never told in an inquiry, one shared code in a release. `internal`: for the log only.
    """

    blade: Blade
    code: Slug
    satisfied: bool
    about: Literal["stated", "person", "internal"]
    params: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)


class KindCap(Value):
    """The highest rung for one kind of involvement of one function, plain and shielded."""

    function: str
    kind: Slug
    plain: Rung
    shielded: Rung


class PolicyScope(Value):
    """What this purpose lets be seen: functions and domains asked, domains it cannot see."""

    functions: tuple[str, ...]
    domains: tuple[Slug, ...]
    cannot_see: tuple[Slug, ...]


class Decision(Value):
    """Permit or deny with everything that follows from it.

    `rung`: the highest rung permitted to this question; `none` when denied. `open_rung`: the
    highest that the stated facts leave open. `fields`: the permitted ones, a subset of those asked.
    `stated_permit`: what the verdict would be on stated facts alone (what a requester may learn).
    `expires_days`: for a registration, the term that its kind fixes.
    """

    v: Literal[1]
    permit: bool
    rung: Rung
    open_rung: Rung
    stated_permit: bool
    findings: tuple[WeighedFinding, ...] = Field(max_length=100)
    remedies: tuple[Slug, ...] = Field(max_length=50)
    alternatives: tuple[Slug, ...] = Field(max_length=20)
    obligations: tuple[Obligation, ...] = Field(max_length=20)
    caps: tuple[KindCap, ...] = Field(max_length=500)
    scope: PolicyScope
    fields: tuple[FieldPath, ...] = Field(max_length=64)
    withheld: tuple[WithheldField, ...] = Field(max_length=64)
    legal_basis: LegalBasis | None
    notice: Notice
    audience: Literal["open", "own"]
    expires_days: int | None = Field(ge=1, le=7_400)
    retention_days: int = Field(ge=1, le=7_400)


_ENTRY_POINTS: dict[Act, EntryPoint] = {
    "register": "register",
    "end": "register",
    "answer_contact": "register",
    "report_wrong_person": "register",
    "open_occasion": "occasion",
    "hand_over": "occasion",
    "close_occasion": "occasion",
    "record_conversation": "occasion",
    "record_consent": "occasion",
    "record_objection": "occasion",
    "record_authority": "occasion",
    "declare_special_situation": "occasion",
    "inquire": "ask",
    "request_contact": "ask",
    "release": "ask",
    "open_session": "ask",
    "wish": "ask",
    "introduce": "introduce",
}


def entry_point_of(act: Act) -> EntryPoint:
    """Return the package of policies/ whose `decision` weighs this act."""
    return _ENTRY_POINTS[act]
