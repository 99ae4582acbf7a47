"""The life of every question, in six steps that nothing goes around.

1. Admit (`admission.py`). 2. Gather: who, and raw facts. 3. Weigh: OPA, once per person, before any
pointer is read. 4. Prepare: the act's own module. 5. Log: registers, spent id, exactly one entry
per person, in one transaction. 6. Hand over: only what step 5 gave back can be answered or ordered.
A crash between two steps leaves something logged that never left, never the reverse. Source:
architecture.md, "One life for every question"; protocol.md section 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from broker.audit.records import Appendable, Appended, Job, LostRaceError
from broker.exchange.acts import Desk
from broker.exchange.admission import split_chunks
from broker.exchange.changes import Change, Changes, ChangesHere, build_change, build_keys
from broker.exchange.duties import with_duties
from broker.exchange.errors import TooManyRacesError
from broker.exchange.facts import build_evaluation
from broker.exchange.gather import Gatherer
from broker.exchange.handover import HandOver
from broker.exchange.processing import build_processing
from broker.exchange.question import Gathered, MessageFacts, PreparedChunk, Question, Weighed
from broker.exchange.recorded import Receipted, Recorded, build_answer, build_person, read_revision
from broker.exchange.rooms import Rooms
from broker.exchange.turns import Turns
from broker.exchange.waiting import Waiting
from broker.exchange.weighing import leave_out
from broker.exchange.writing import Written, build_written
from broker.policy.engine import Hold
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.references import derive_handle_end
from datwat.protocol.freshness import MAX_AGE, RESUME_AGE
from datwat.protocol.ticket import OpenedTicket

ATTEMPTS = 3
# A release waits for its source, which may be slow on purpose: what one partner can have on its
# way is a third of what the broker takes on, and leaves a quarter of the places to others.
RELEASES_AT_ONCE = 64
RELEASES_WAITING = 32
_FEW = 8  # persons: a household, and no batch
Fresh = Callable[[], None]


class _SpentAlreadyError(Exception):
    """Another process answered these very bytes in the meantime."""


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Step 2 done: some persons of a message, and what they share."""

    people: Sequence[Gathered]
    shared: MessageFacts
    moment: int


class Life:
    """Answers questions; one object per process."""

    def __init__(self, rooms: Rooms, hand_over: HandOver, changes: Changes | None = None) -> None:
        """Keep the rooms; `changes` of several processes, None: of this one alone."""
        self._rooms = rooms
        self._gatherer = Gatherer(rooms.registers, rooms.sealing)
        self._hand_over = hand_over
        self._changes = changes or ChangesHere()
        self._waiting = Waiting()
        self._releases = Turns(RELEASES_AT_ONCE, RELEASES_WAITING)

    async def answer(self, question: Question, require_fresh: Fresh) -> bytes:
        """Return the answer to an admitted question, once it is written down.

        The same bytes at the same time wait for the one answer. `require_fresh` raises where these
        bytes are too old to be admitted for the first time.

        Raises: RidReusedError, TicketError, MessageExpiredError, IssuerRefusedError,
        PolicyUnavailableError, PolicyChangedError, LogError, and the errors of `errors.py`.
        """
        if question.object.type != "release":
            return await self._share(question, require_fresh)
        async with self._releases.take(question.partner.id):
            self._require_in_force(question)
            return await self._share(question, require_fresh)

    async def _share(self, question: Question, require_fresh: Fresh) -> bytes:
        return await self._waiting.share(
            question.key, question.request_hash, lambda: self._answer_whole(question, require_fresh)
        )

    async def _answer_whole(self, question: Question, require_fresh: Fresh) -> bytes:
        """Answer by one revision of the policy, however many parts the message is weighed in."""
        with self._rooms.engine.hold() as held:
            return await self._answer(question, require_fresh, held)

    async def _answer(self, question: Question, require_fresh: Fresh, held: Hold) -> bytes:
        chunks = split_chunks(question)
        done: list[Recorded] = []
        fresh: tuple[Appended, list[Receipted]] | None = None
        known: dict[bytes, Receipted] = {}
        ticket: OpenedTicket | None = None
        for number, persons in enumerate(chunks):
            gathered: _Gathered | None = None
            with self._rooms.reading() as conn:
                moment = self._changes.read_moment(conn)
                found = self._rooms.ledger.find(conn, question, number, self._rooms.clock())
                if found is None:
                    if not done:
                        require_fresh()
                    ticket = ticket or self._open_ticket(question, resumed=bool(done))
                    gathered = self._gather(conn, question, persons, ticket, moment)
            if gathered is not None:
                found, fresh = await self._live(question, number, persons, ticket, gathered)
                for one in fresh[1] if fresh else ():
                    if one.person.commit is not None:
                        known[one.person.commit] = one
            assert found is not None  # noqa: S101 - found, or lived just now
            revision = read_revision(found)
            if revision is not None:
                held.bind(revision)
            done.append(found)
        if question.object.type == "release" and done[0].kind == "order":
            done[0], fresh = await self._hand_over.deliver(question, done[0], known)
        if len(done) == 1 and fresh is not None:
            appended, receipted = fresh
            return build_answer(
                question.object.rid, appended.checkpoint, receipted, done[0].envelope
            )
        return self._answer_again(question, done, known)

    def _answer_again(
        self, question: Question, done: Sequence[Recorded], known: Mapping[bytes, Receipted]
    ) -> bytes:
        """Return recorded answers under one new checkpoint; `known` were written just now."""
        head = self._rooms.proofs.read_committed_head()
        persons = [person for recorded in done for person in recorded.persons]
        with self._rooms.reading() as conn:
            receipted = self._rooms.ledger.add_receipts(conn, persons, head.size, known)
        return build_answer(question.object.rid, head.note, receipted, done[0].envelope)

    def _open_ticket(self, question: Question, *, resumed: bool) -> OpenedTicket | None:
        keys = self._rooms.trust.ticket_keys
        max_age = RESUME_AGE if resumed else MAX_AGE
        return self._gatherer.open_ticket(question, keys, max_age=max_age)

    async def _live(
        self,
        question: Question,
        number: int,
        persons: range,
        ticket: OpenedTicket | None,
        gathered: _Gathered,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]] | None]:
        """Take gathered persons through steps 3 to 5; from step 2 anew where a race was lost."""
        for attempt in range(ATTEMPTS):
            try:
                if attempt:
                    with self._rooms.reading() as conn:
                        moment = self._changes.read_moment(conn)
                        gathered = self._gather(conn, question, persons, ticket, moment)
                weighed, revision = await self._weigh(question, gathered.people)
                chunk = self._prepare(question, gathered.shared, weighed, revision)
                return await self._log(question, number, chunk, revision, gathered.moment)
            except (RaceLost, LostRaceError):
                continue
            except _SpentAlreadyError:
                with self._rooms.reading() as conn:
                    found = self._rooms.ledger.find(conn, question, number, self._rooms.clock())
                if found is not None:
                    return found, None
        raise TooManyRacesError

    def _gather(
        self,
        conn: Connection,
        question: Question,
        persons: range,
        ticket: OpenedTicket | None,
        moment: int,
    ) -> _Gathered:
        """Step 2; `moment` was read before anything else on `conn`."""
        shared = self._gatherer.gather_message(conn, question, ticket)
        people = self._gatherer.gather_persons(conn, question, shared, persons)
        return _Gathered(people, shared, moment)

    async def _weigh(
        self, question: Question, gathered: Sequence[Gathered]
    ) -> tuple[list[Weighed], str]:
        """Step 3: one call per person, whatever is known of them."""
        evaluations = [
            build_evaluation(
                question.object,
                question.statement,
                one.part,
                one.facts,
                partner=question.partner,
                directory=self._rooms.trust.directory,
                now=question.now,
            )
            for one in gathered
        ]
        decisions = await self._rooms.engine.evaluate(evaluations)
        weighed = [
            Weighed(one, evaluation, decision)
            for one, evaluation, decision in zip(gathered, evaluations, decisions, strict=True)
        ]
        return weighed, decisions.revision

    def _prepare(
        self,
        question: Question,
        shared: MessageFacts,
        weighed: Sequence[Weighed],
        revision: str,
    ) -> PreparedChunk:
        """Step 4: the first moment at which pointers are read."""
        with self._rooms.reading() as conn:
            desk = Desk(
                conn=conn,
                question=question,
                shared=shared,
                people=weighed,
                registers=self._rooms.registers,
                directory=self._rooms.trust.directory,
                revision=revision,
            )
            chunk = self._rooms.acts[question.object.type].prepare(desk)
            return leave_out(chunk) if question.weighs_only else with_duties(desk, chunk)

    async def _log(
        self, question: Question, number: int, chunk: PreparedChunk, revision: str, moment: int
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]]]:
        """Step 5: registers, spent id and entries, or nothing of it."""
        directory = self._rooms.trust.directory
        written = [
            build_written(
                question, item, revision, directory, self._rooms.sealing, self._rooms.veil
            )
            for item in chunk.items
        ]
        persons = tuple(build_person(one) for one in written)
        order = self._hand_over.build_pending(chunk.items[0])
        recorded = Recorded("order" if order else "answer", persons, order=order)
        partner, people = question.partner.id, [one.prepared.weighed for one in written]
        same = build_keys(partner, [one.subject_id for one in people])
        permitted = [one.subject_id for one in people if one.decision.permit]
        change = build_change(question.object.type, partner, permitted)
        processing = self._rooms.processing
        tell = processing.prepare(build_processing(question, written) if processing.is_on else ())

        def work(conn: Connection) -> Sequence[Appendable]:
            self._require_in_force(question)
            if self._rooms.ledger.spend(conn, question, number, recorded) is not None:
                raise _SpentAlreadyError
            self._changes.require_same(conn, same, moment)
            if change is not None:
                self._changes.begin(conn, change)
            for one in written:
                self._write_person(conn, question, one)
            chunk.write(conn)
            tell(conn)
            for one in written:
                self._require_waiting(conn, one)
            return [one.entry for one in written if one.entry is not None]

        keys = [one.prepared.weighed.gathered.keys for one in written]
        keys += [one.prepared.mints for one in written if one.prepared.mints is not None]
        job = Job(work, keys, is_short=len(written) <= _FEW)
        appended = await self._append(job, change)
        return recorded, (appended, self._rooms.ledger.add_fresh(persons, appended.entries))

    def _require_in_force(self, question: Question) -> None:
        """Raise IssuerRefusedError where the partner was suspended, or ended, while this waited."""
        self._rooms.trust.directory.require_partner(question.partner.id, self._rooms.clock())

    async def _append(self, job: Job, change: Change | None) -> Appended:
        """Have it written; a change is over when the log says so, whoever still waits for it."""
        if change is None:
            return await self._rooms.log.append(job)
        writing = asyncio.ensure_future(self._rooms.log.append(job))
        writing.add_done_callback(lambda _: self._changes.end(change))
        return await asyncio.shield(writing)

    def _require_waiting(self, conn: Connection, written: Written) -> None:
        """Raise RaceLost where what delays an entry was opened since step 2: nobody would tell."""
        situation = written.prepared.situation
        if written.entry is None or written.prepared.notice == "now" or situation is None:
            return
        held = self._rooms.registers.special_situations.find_situation(conn, situation.occasion_id)
        if held is None or held.opened_at is not None or held.id != situation.id:
            raise RaceLost

    def _write_person(self, conn: Connection, question: Question, written: Written) -> None:
        """Write the subject and the handle: the same statements for everybody."""
        registers, now = self._rooms.registers, question.now
        one = written.prepared.weighed.gathered
        if one.is_new and one.pseudonym is not None:
            registers.subjects.add_subject(conn, one.subject_id, one.pseudonym, one.epoch, now)
        else:
            registers.subjects.touch(conn, one.subject_id, now)
            self._rooms.write_known(conn, one.keys, now)
        if question.is_portal:
            if one.part.person.by == "handle":
                registers.references.touch_session(conn, question.partner.id, one.handle, now)
            return
        end = derive_handle_end(now)
        if one.handle_is_new:
            registers.references.add_reference(
                conn,
                question.partner.id,
                "handle",
                one.subject_id,
                one.handle,
                until_at=end,
                now=now,
            )
        else:
            registers.references.touch(
                conn, question.partner.id, "handle", one.subject_id, until_at=end, now=now
            )
