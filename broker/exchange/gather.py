"""Step 2, gather: tickets, handles and codes become data subjects with their raw facts; reads only.

Rules: an unknown point is carried on as a new subject in memory; a handle that is not this
partner's ends here; an involvement reference that is not this partner's, or not this person's,
counts as absent. The same statements run for every person, known or not. No verdict is formed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from broker.audit.records import SubjectKeys
from broker.audit.sealing import Sealing
from broker.exchange.admission import count_tickets
from broker.exchange.errors import (
    HandleUnknownError,
    IntroductionUnknownError,
    PersonTwiceError,
)
from broker.exchange.facts import PersonFacts, Shown
from broker.exchange.question import Gathered, MessageFacts, Question
from broker.exchange.registers import Registers
from broker.involvement.introductions import is_redeemable
from broker.involvement.involvements import Involvement, is_current
from broker.involvement.occasions import Occasion
from broker.pseudonyms.reference_rows import Introduction
from datwat.protocol.acts import ByHandle, ByIntroduction, ByTicket, PersonPart
from datwat.protocol.ticket import (
    OpenedTicket,
    TicketClass,
    TicketKey,
    TicketUse,
    open_ticket,
)

_CLASSES: dict[str, TicketClass] = {"register": "register", "open_session": "self"}


@dataclass(frozen=True, slots=True)
class TicketKeys:
    """What opens tickets: the keys shared with the key holder, and the epochs in force."""

    keys: Mapping[str, TicketKey]
    epoch_keys: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class _Found:
    """Who a person part is about, before the registers are read."""

    subject_id: bytes | None = field(repr=False)
    pseudonym: bytes | None = field(default=None, repr=False)
    epoch: int = 0
    introduction: Introduction | None = None
    is_represented: bool = False
    session: bytes | None = field(default=None, repr=False)


class Gatherer:
    """Reads what bears on a question."""

    def __init__(self, registers: Registers, sealing: Sealing) -> None:
        self._registers = registers
        self._sealing = sealing

    def open_ticket(
        self, question: Question, keys: TicketKeys, *, max_age: timedelta
    ) -> OpenedTicket | None:
        """Return the opened ticket of a message, or None where it has none; raise TicketError."""
        if question.ticket is None:
            return None
        use = TicketUse(
            partner=question.partner.id,
            ticket_class=_CLASSES.get(question.object.type, "inquire"),
            rid=question.object.rid,
            n=count_tickets(question.persons),
        )
        return open_ticket(
            question.ticket,
            keys.keys,
            use=use,
            epoch_keys=keys.epoch_keys,
            now=question.now,
            max_age=max_age,
        )

    def gather_message(
        self, conn: Connection, question: Question, ticket: OpenedTicket | None
    ) -> MessageFacts:
        """Return what all persons share; another team's occasion counts as absent."""
        occasion = self._find_occasion(conn, question)
        members: tuple[bytes, ...] = ()
        if occasion is not None and question.object.type in (
            "hand_over",
            "close_occasion",
            "declare_special_situation",
        ):
            members = self._registers.occasions.list_members(conn, occasion.id, question.now)
        return MessageFacts(ticket, occasion, members)

    def gather_persons(
        self, conn: Connection, question: Question, shared: MessageFacts, numbers: Sequence[int]
    ) -> list[Gathered]:
        """Return the persons with these numbers as data subjects with their facts.

        Raises HandleUnknownError, IntroductionUnknownError, PersonTwiceError, PointError.
        """
        found = [
            self._find_person(conn, question, shared, question.persons[number])
            for number in numbers
        ]
        new = {
            one.pseudonym: self._sealing.mint_subject(question.now)
            for one in found
            if one.subject_id is None
        }
        ids = [one.subject_id or new[one.pseudonym].subject_id for one in found]
        if len(set(ids)) != len(ids):
            raise PersonTwiceError
        known = self._sealing.fetch_keys(conn, ids, question.now)
        keys = {**known, **{minted.subject_id: minted for minted in new.values()}}
        return [
            self._gather_one(conn, question, shared, number, one, keys=keys[subject_id])
            for number, one, subject_id in zip(numbers, found, ids, strict=True)
        ]

    def _gather_one(
        self,
        conn: Connection,
        question: Question,
        shared: MessageFacts,
        number: int,
        one: _Found,
        *,
        keys: SubjectKeys,
    ) -> Gathered:
        references, subject_id = self._registers.references, keys.subject_id
        handle = one.session or references.find_reference(
            conn, question.partner.id, "handle", subject_id, question.now
        )
        part = question.persons[number]
        return Gathered(
            number=number,
            part=part,
            person_hash=question.person_hashes[number],
            subject_id=subject_id,
            keys=keys,
            is_new=one.subject_id is None,
            pseudonym=one.pseudonym,
            epoch=one.epoch,
            handle=handle or references.draw(),
            handle_is_new=handle is None,
            introduction=one.introduction,
            is_represented=one.is_represented,
            facts=self._gather_facts(
                conn, question, shared, part, one, subject_id=subject_id, number=number
            ),
        )

    def _find_occasion(self, conn: Connection, question: Question) -> Occasion | None:
        cited = question.statement.occasion if question.statement else None
        if cited is None:
            return None
        registers, now = self._registers, question.now
        target = registers.references.find_target(conn, question.partner.id, "occasion", cited, now)
        if target is None:
            return None
        return registers.occasions.find_occasion(conn, target.target, now)

    def _find_person(
        self, conn: Connection, question: Question, shared: MessageFacts, part: PersonPart
    ) -> _Found:
        references, now = self._registers.references, question.now
        match part.person:
            case ByTicket(gamma=gamma):
                assert shared.ticket is not None  # noqa: S101 - admission saw to it
                pseudonym = shared.ticket.derive_point(gamma)
                epoch = shared.ticket.header.epoch
                seen = self._registers.subjects.find_subject(conn, pseudonym, epoch)
                return _Found(seen.subject_id, seen.pseudonym, seen.epoch)
            case ByHandle(handle=handle):
                target = references.find_handle(conn, question.partner.id, handle, now)
                if target is None or (target.kind == "handle") == question.is_portal:
                    raise HandleUnknownError
                return _Found(
                    target.target,
                    is_represented=target.kind == "represented",
                    session=handle if question.is_portal else None,
                )
            case ByIntroduction(code=code):
                found = references.find_introduction(conn, question.partner.id, code, now)
                if found is None or not is_redeemable(found, question.object.type, now):
                    raise IntroductionUnknownError
                return _Found(found.subject_id, introduction=found)

    def _gather_facts(
        self,
        conn: Connection,
        question: Question,
        shared: MessageFacts,
        part: PersonPart,
        found: _Found,
        *,
        subject_id: bytes,
        number: int,
    ) -> PersonFacts:
        registers, now = self._registers, question.now
        occasion = shared.occasion
        member = (
            registers.occasions.find_member(conn, occasion.id, subject_id, now)
            if occasion
            else None
        )
        inherited = found.introduction
        registered = self._find_registered(conn, question, part, subject_id)
        is_held = registered is not None and is_current(registered, now)
        return PersonFacts(
            occasion=occasion,
            member=member,
            conversation=member.conversation if member else None,
            consents=registers.consents.list_consents(conn, subject_id, now),
            objections=registers.consents.list_objections(conn, subject_id, now),
            blocks=registers.wishes.list_blocks(conn, subject_id, now),
            authorities=registers.authorities.list_current(conn, subject_id, now),
            shown=self._find_shown(conn, question, part, subject_id),
            held=registered if is_held else None,
            lapsed=None if is_held else registered,
            contact=registers.contacts.contact_facts(conn, question.partner.id, subject_id, now),
            inherits_own=inherited is not None and inherited.audience == "own",
            # The first person of a session is who logged in; the second is whom they represent.
            represented=found.is_represented
            or (question.object.type == "open_session" and number > 0),
        )

    def _find_registered(
        self, conn: Connection, question: Question, part: PersonPart, subject_id: bytes
    ) -> Involvement | None:
        if part.registers is None:
            return None
        return self._registers.involvements.find_registered(
            conn, subject_id, question.partner.id, part.registers.kind, question.now
        )

    def _find_shown(
        self, conn: Connection, question: Question, part: PersonPart, subject_id: bytes
    ) -> Shown | None:
        if question.object.type != "release" or part.involvement is None:
            return None
        registers = self._registers
        target = registers.references.find_target(
            conn, question.partner.id, "involvement", part.involvement, question.now
        )
        # Always looked for: a guessed reference must not cost less than another person's.
        held = registers.involvements.find(
            conn, target.target if target else bytes(16), question.now
        )
        if target is None or target.shown_at is None:
            return None
        if held is None or held.subject_id != subject_id:
            return None
        return Shown(held, part.involvement, target.shown_at)
