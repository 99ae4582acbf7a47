"""How each part of a party is, for a person: one model for `datwat status` and for `/metrics`.

Rules: nothing of a person is in it; a part that is as it should be says so and asks nothing, of
every other it is said what to do. Pure. The broker has more parts, and pages to show them on
(`broker/status.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from datwat.party.metrics import Reading
from datwat.protocol.trust import TrustList
from datwat.protocol.values import encode_moment

State = Literal["ok", "attention", "failed", "off"]
# The trust list is signed anew each week or month, so a later warning is enough.
LIST_ENDS_SOON: Final = timedelta(days=7)
SLOW_DATABASE: Final = timedelta(milliseconds=250)
WORDS: Final[dict[State, str]] = {
    "ok": "Works",
    "attention": "Look at this",
    "failed": "Does not work",
    "off": "Not in use",
}
_NUMBERS: Final[dict[State, int]] = {"ok": 0, "off": 0, "attention": 1, "failed": 2}


@dataclass(frozen=True, slots=True)
class Part:
    """One part: `what` is how it is, `what_to_do` is empty where nothing is asked."""

    part: str
    state: State
    code: str
    what: str
    what_to_do: str = ""
    since_at: datetime | None = None


def describe_parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return parts as `datwat status --json` shows them."""
    return [
        {
            "part": one.part,
            "state": one.state,
            "word": WORDS[one.state],
            "since_at": encode_moment(one.since_at) if one.since_at else None,
            "what": one.what,
            "what_to_do": one.what_to_do,
            "code": one.code,
        }
        for one in parts
    ]


def read_parts(parts: Iterable[tuple[str, State]]) -> Iterator[Reading]:
    """Yield the figure of each part, given its name and state."""
    for name, state in parts:
        yield Reading("datwat_part_state", _NUMBERS[state], (name,))


def derive_list_part(trust: TrustList, now: datetime) -> Part:
    """Return how the trust list is."""
    until = f"{trust.valid_until:%Y-%m-%d}"
    if trust.valid_until < now:
        return Part(
            "trust_list",
            "failed",
            "list_ended",
            f"List {trust.seq} ended on {until}. Nobody is let in.",
            "Have the covenant sign the next list now.",
            trust.valid_until,
        )
    if trust.valid_until - now < LIST_ENDS_SOON:
        return Part(
            "trust_list",
            "attention",
            "list_ends",
            f"List {trust.seq} ends on {until}.",
            "Have the covenant sign the next list before that day.",
        )
    said = f"List {trust.seq} is in force until {until}."
    return Part("trust_list", "ok", "list_in_force", said)


def derive_bundle_part(seq: int | None, revision: str | None) -> Part:
    """Return how the policy bundle is that this party holds, if any."""
    if seq is None or revision is None:
        return Part(
            "policy",
            "failed",
            "policy_missing",
            "No policy bundle is held yet. Nothing can be asked or given.",
            "Look whether the broker can be reached from here.",
        )
    said = f"Publication {seq} is in force (revision {revision[:12]})."
    return Part("policy", "ok", "policy_in_force", said)


def derive_database_part(took: timedelta | None) -> Part:
    """Return how the database is; None: it did not answer."""
    if took is None:
        return Part(
            "database",
            "failed",
            "database_away",
            "It does not answer. Nothing can be asked or written down.",
            "Look whether the database runs and whether its disk is full.",
        )
    if took > SLOW_DATABASE:
        return Part(
            "database",
            "attention",
            "database_slow",
            f"It answers in {round(took.total_seconds() * 1_000)} milliseconds.",
            "Look at the load, the disk and long transactions of the database.",
        )
    return Part("database", "ok", "database_answers", "It answers in time.")
