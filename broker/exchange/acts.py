"""What the acts have in common: what each is given to prepare with, and the port they implement.

Rule: an act prepares only from what was weighed; it reads registers, decides nothing about the law,
and gives back what the register will write inside the log's own transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.payloads import Organisation
from broker.exchange.answers import build_open_weighing, build_refused_weighing
from broker.exchange.question import MessageFacts, Prepared, PreparedChunk, Question, Weighed
from broker.exchange.registers import Registers
from broker.involvement.special_situations import SpecialSituationRow
from broker.pseudonyms.reference_rows import Kind, Touch
from datwat.party.trust_list import Directory
from datwat.protocol.acts import Statement
from datwat.protocol.answers import ActPart

Write = Callable[[Connection], None]
_UNKNOWN_NAME = "-"


@dataclass(frozen=True, slots=True)
class Desk:
    """What step 4 works with, for some persons of one message."""

    conn: Connection
    question: Question
    shared: MessageFacts
    people: Sequence[Weighed]
    registers: Registers
    directory: Directory
    revision: str

    @property
    def now(self) -> datetime:
        """The one clock of the question's life."""
        return self.question.now

    @property
    def partner(self) -> str:
        """Who asks."""
        return self.question.partner.id

    @property
    def statement(self) -> Statement:
        """The statement, of an act that has one (admission saw to it)."""
        statement = self.question.statement
        assert statement is not None  # noqa: S101 - admission saw to it
        return statement


class Act(Protocol):
    """One kind of act: from weighed persons to answers and writes."""

    def prepare(self, desk: Desk) -> PreparedChunk:
        """Return the answer about each person, in order, and the register's writes."""


def name_party(directory: Directory, party: str) -> Organisation:
    """Return a party with the name that the trust list gives it, or a dash."""
    held = directory.partners.get(party)
    name = held.name if held else _UNKNOWN_NAME
    if party == directory.trust.broker.id:
        name = directory.trust.broker.name
    return Organisation(id=party, name=name)


def build_act(weighed: Weighed, state: str, **references: object) -> ActPart:
    """Return the answer to an act that was weighed; `references` are those given for it."""
    return ActPart.model_validate(
        {
            "type": "act",
            "weighing": build_open_weighing(weighed.decision),
            "handle": weighed.gathered.handle,
            "state": state,
            **references,
        }
    )


def build_refused(weighed: Weighed, waits: SpecialSituationRow | None = None) -> Prepared:
    """Return the answer to an act that policy denied, or for which the register has no ground.

    `waits` is the special situation that the act stated: the entry opens with it.
    """
    decision = weighed.decision
    refused = build_refused_weighing if decision.permit else build_open_weighing
    part = ActPart(
        type="act", weighing=refused(decision), handle=weighed.gathered.handle, state="refused"
    )
    return Prepared(weighed=weighed, part=part, declared=waits)


def chain_writes(writes: Sequence[Write]) -> Write:
    """Return one write that does all of these in order."""

    def write(conn: Connection) -> None:
        for one in writes:
            one(conn)

    return write


def keep_reference(
    desk: Desk,
    writes: list[Write],
    kind: Kind,
    target: bytes,
    until_at: datetime,
) -> bytes:
    """Return what the requester knows a thing by, old or new, and have it written."""
    references, partner, now = desk.registers.references, desk.partner, desk.now
    found = references.find_reference(desk.conn, partner, kind, target, now)
    reference = found or references.draw()

    def write(conn: Connection) -> None:
        if found is None:
            references.add_reference(
                conn,
                partner,
                kind,
                target,
                reference,
                until_at=until_at,
                now=now,
            )
        else:
            references.touch(conn, partner, kind, target, until_at=until_at, now=now)

    writes.append(write)
    return reference


def keep_references(
    desk: Desk, writes: list[Write], kind: Kind, things: Sequence[Touch]
) -> list[bytes]:
    """Return what the requester knows different things by, in order, and have it written.

    It is `keep_reference` for several, with one read, and one statement for those it had already.
    """
    references, partner, now = desk.registers.references, desk.partner, desk.now
    held = references.find_references(
        desk.conn, partner, kind, [thing.target for thing in things], now
    )
    known = [thing for thing in things if thing.target in held]
    drawn = {thing.target: references.draw() for thing in things if thing.target not in held}

    def write(conn: Connection) -> None:
        if known:
            references.touch_all(conn, partner, kind, known, now)
        for thing in things:
            if thing.target in drawn:
                references.add_reference(
                    conn,
                    partner,
                    kind,
                    thing.target,
                    drawn[thing.target],
                    until_at=thing.until_at,
                    now=now,
                    shown_rung=thing.shown_rung,
                )

    writes.append(write)
    return [held.get(thing.target) or drawn[thing.target] for thing in things]
