"""What pages and commands are shown of the life of a purpose: plain values, nobody's name.

An author sees whether a draft is their own; nobody sees by whom another one is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from broker.purposes.life import ProposalState, RevisionState
from broker.purposes.life_errors import Fault
from datwat.protocol.purpose_approval import Effect


@dataclass(frozen=True, slots=True)
class Warned:
    """A remark that stops nothing: which member, and what could be plainer."""

    member: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would be. With faults there are no sentences or changes."""

    purpose: str | None
    digest: str | None
    faults: tuple[Fault, ...] = ()
    sentences: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A draft in a list."""

    id: str
    purpose: str | None
    organisation: str
    is_mine: bool
    is_outdated: bool
    changed_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class DraftShown:
    """A draft to go on with; `changes` say what others changed since it was begun."""

    line: DraftLine
    text: str = field(repr=False)
    cases: str = field(repr=False)
    base_digest: str | None
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PurposeLine:
    """A purpose in a list: its newest revision that began (or is to begin), and what is to come."""

    id: str
    title: str
    owner: str
    state: RevisionState
    digest: str
    valid_from: datetime
    valid_until: datetime | None
    upcoming: tuple[datetime, ...]
    legal_check: str


@dataclass(frozen=True, slots=True)
class ApprovalShown:
    """An approval: by a key, for an organisation; `counts` until its holder loses the role."""

    kid: str
    organisation: str
    at: datetime
    counts: bool


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """A proposal in a list."""

    id: str
    effect: Effect
    purpose: str | None
    digest: str | None
    valid_from: datetime | None
    seq: int
    state: ProposalState
    at: datetime
    organisation: str
    approvals: int
    needed: int


@dataclass(frozen=True, slots=True)
class ProposalShown:
    """A proposal as an approver reads it: `text` in the language asked is what is signed.

    `stale_changes`: what was published since, where it is stale.
    """

    line: ProposalLine
    text: str
    changes: tuple[str, ...]
    reason: str | None
    base_digest: str | None
    bundle_digest: str
    approvals: tuple[ApprovalShown, ...]
    stale_changes: tuple[str, ...]
    is_mine: bool
    may_approve: bool
    has_sealed_key: bool
    draft_id: str | None


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """What comes into force or ends, and when; `is_proposed` while approvals are missing."""

    at: datetime
    what: str  # begins | ends
    purpose: str
    title: str
    digest: str
    is_proposed: bool
    proposal_id: str | None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A publication: what it did, and in which state its revision is now.

    `effect` is None for a bundle that was signed as a file.
    """

    seq: int
    at: datetime
    bundle_digest: str
    is_in_force: bool
    effect: Effect | None
    purpose: str | None
    digest: str | None
    valid_from: datetime | None
    state: RevisionState | None
    changes: tuple[str, ...]
    reason: str | None
    kids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalDone:
    """An approval that was written: how many there are, and whether it was the last one needed."""

    published: bool
    seq: int
    approvals: int
    needed: int
