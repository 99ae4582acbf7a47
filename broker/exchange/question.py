"""A question on its way: what was admitted, what was gathered, what was weighed.

Each step takes the value of the step before and gives the next one, so that nothing can be prepared
that was not weighed, and nothing logged that was not prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.payloads import Detail, GivenPointer
from broker.audit.records import SubjectKeys
from broker.exchange.facts import PersonFacts
from broker.involvement.occasions import Occasion
from broker.involvement.special_situations import SpecialSituationRow
from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from broker.pseudonyms.reference_rows import Audience, Introduction
from datwat.protocol.acts import PersonPart, Statement
from datwat.protocol.answers import AnswerPart
from datwat.protocol.messages import MessageObject, Notice, ReleaseCore
from datwat.protocol.signing import SignedMessage
from datwat.protocol.ticket import OpenedTicket
from datwat.protocol.trust import Partner


@dataclass(frozen=True, slots=True)
class Question:
    """Step 1: a message that is heard, read into its parts; `now` is the one clock of its life.

    `weighs_only`: a decision is asked and nothing else; nobody signed a `message` then.
    """

    object: MessageObject
    message: SignedMessage | None = field(repr=False)
    request_hash: bytes
    partner: Partner
    is_portal: bool
    statement: Statement | None = field(repr=False)
    persons: tuple[PersonPart, ...] = field(repr=False)
    person_hashes: tuple[bytes, ...]
    ticket: bytes | None = field(repr=False)
    now: datetime
    weighs_only: bool = False

    @property
    def key(self) -> tuple[str, bytes]:
        """What the message is spent under: its issuer and `rid`."""
        return self.object.iss, self.object.rid


@dataclass(frozen=True, slots=True)
class Gathered:
    """Step 2: one person of a question, as data subject and raw facts."""

    number: int
    part: PersonPart = field(repr=False)
    person_hash: bytes
    subject_id: bytes = field(repr=False)
    keys: SubjectKeys = field(repr=False)
    is_new: bool = field(repr=False)
    pseudonym: bytes | None = field(repr=False)
    epoch: int
    handle: bytes = field(repr=False)
    handle_is_new: bool = field(repr=False)
    introduction: Introduction | None = field(repr=False)
    is_represented: bool
    facts: PersonFacts = field(repr=False)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Step 3: a person with the question that was put to OPA and the decision that came back."""

    gathered: Gathered
    evaluation: Evaluation = field(repr=False)
    decision: Decision

    @property
    def subject_id(self) -> bytes:
        """The data subject."""
        return self.gathered.subject_id


@dataclass(frozen=True, slots=True)
class Prepared:
    """Step 4: the answer about one person and what the resident reads, before it is written.

    `orders` is set for a permitted release only, and `ordered_by` is then the source's own
    reference to the involvement; `logs` is False for a mere reconfirmation and for the portal's
    sessions; `mints` are the keys of one more subject to write; `opened` is the id of an occasion
    that is just opened; `keeps_own` where what is touched was for the person alone; `declared` the
    special situation that begins with this act, or was refused with it; `delayed_by` that of an
    occasion which is not cited, and yet keeps this from being told.
    """

    weighed: Weighed
    part: AnswerPart = field(repr=False)
    detail: Detail | None = field(default=None, repr=False)
    pointers: tuple[GivenPointer, ...] = field(default=(), repr=False)
    fields: tuple[str, ...] = ()
    orders: ReleaseCore | None = field(default=None, repr=False)
    ordered_by: bytes | None = field(default=None, repr=False)
    logs: bool = True
    mints: SubjectKeys | None = field(default=None, repr=False)
    opened: bytes | None = field(default=None, repr=False)
    keeps_own: bool = False
    declared: SpecialSituationRow | None = field(default=None, repr=False)
    delayed_by: SpecialSituationRow | None = field(default=None, repr=False)

    @property
    def occasion_id(self) -> bytes | None:
        """The occasion that the entry rests on: that delays it, is cited, or was just opened."""
        if self.delayed_by is not None:
            return self.delayed_by.occasion_id
        cited = self.weighed.gathered.facts.occasion
        return cited.id if cited is not None else self.opened

    @property
    def situation(self) -> SpecialSituationRow | None:
        """The special situation that the entry opens with, where it waits; never an opened one."""
        cited = self.weighed.gathered.facts.occasion
        held = cited.special_situation if cited is not None else None
        waiting = held if held is not None and held.opened_at is None else None
        return self.delayed_by or self.declared or waiting

    @property
    def notice(self) -> Notice:
        """Whether the resident is told later: only what waits on a situation is ever opened."""
        if self.delayed_by is not None:
            return "later"
        return self.weighed.decision.notice if self.situation is not None else "now"

    @property
    def audience(self) -> Audience:
        """The chain that the entry is in, or opens in: as decided, or the person's own."""
        return "own" if self.keeps_own else self.weighed.decision.audience


@dataclass(frozen=True, slots=True)
class PreparedChunk:
    """Everything of step 4 for some persons of one message, and the register's own writes."""

    items: Sequence[Prepared]
    write: Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What all persons of a message share: the ticket opened, the occasion cited."""

    ticket: OpenedTicket | None = field(repr=False)
    occasion: Occasion | None = field(repr=False)
    occasion_members: tuple[bytes, ...] = field(default=(), repr=False)


def write_nothing(_conn: Connection) -> None:
    """Write nothing of an act's own."""
