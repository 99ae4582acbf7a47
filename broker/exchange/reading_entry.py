"""One entry as an officer reads it who looks at it: what was asked, by whom, why, what was decided.

Rule: it is read from what replay reads, which is never shown to a partner or a resident; there are
no data of a file in it, for the broker never has those. Source: house reference "audit-log".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.audit.payloads import Record
from datwat.protocol.values import decode_moment


@dataclass(frozen=True, slots=True)
class ReadFinding:
    """What one blade found."""

    blade: str
    code: str
    satisfied: bool


@dataclass(frozen=True, slots=True)
class LookedEntry:
    """A question about one person as it was weighed; `waits` where the person does not know yet."""

    number: int
    at: datetime
    waits: bool
    act: str
    partner: str
    staff: str | None = field(repr=False)
    role: str | None
    purpose: str | None
    occasion: str | None
    source: str | None
    product: str | None
    rung: str
    permit: bool
    fields_asked: tuple[str, ...]
    fields_given: tuple[str, ...]
    shown: tuple[str, ...]
    findings: tuple[ReadFinding, ...]
    motivation: Mapping[str, str] = field(repr=False)
    internal_reason: str | None = field(repr=False)
    special_reason: str | None = field(repr=False)


def build_looked(
    number: int, held: Mapping[str, Any], record: Record, *, waits: bool
) -> LookedEntry:
    """Return an entry from its replay half (`held`, with an evaluation) and its resident's half."""
    asked, said = held["evaluation"], held["decision"]
    ask, staff = asked["ask"], asked["professional"] or {}
    motivation = record.asked.motivation if record.asked else None
    return LookedEntry(
        number=number,
        at=decode_moment(asked["now"]),
        waits=waits,
        act=asked["act"],
        partner=asked["requester"]["id"],
        staff=staff.get("id"),
        role=staff.get("role"),
        purpose=asked["purpose"],
        occasion=(asked["occasion"] or {}).get("kind"),
        source=ask["source"],
        product=ask["product"],
        rung=said["rung"],
        permit=said["permit"],
        fields_asked=tuple(ask["fields"]),
        fields_given=tuple(said["fields"]) if asked["act"] == "release" else (),
        shown=tuple(one.source.id for one in record.pointers),
        findings=tuple(
            ReadFinding(one["blade"], one["code"], one["satisfied"]) for one in said["findings"]
        ),
        motivation=motivation.model_dump() if motivation else {},
        internal_reason=held.get("internal_reason"),
        special_reason=held.get("special_reason"),
    )
