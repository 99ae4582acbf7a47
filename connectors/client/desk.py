"""What every act at the desk has in common: who is meant, the message on record, what is kept.

Rules: a handle where there is one, a BSN only where there is none, in memory only; the message is
on record before it is sent, the answer before it is given on; references stay here, the caller
gets its own numbers back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

from connectors.client.exchange import Exchange
from connectors.client.identity import Record, require_record
from connectors.client.outgoing import Draft, Person, Sent
from connectors.client.own_occasions import OwnOccasions
from connectors.client.pending import Attempt, find_attempt
from connectors.client.requests import ClientRef
from connectors.client.results import ActResult, ActResults, Entry
from connectors.client.store import ClientStore, Occasion
from connectors.client.verification import VerifiedAnswer, VerifiedPerson
from connectors.errors import IdentityMissingError, ReferenceUnknownError
from connectors.policy import PolicyKeeper
from datwat.party import clock
from datwat.party.http_out import PeerRefusedError
from datwat.protocol.acts import Contact, Professional, Statement
from datwat.protocol.answers import ActPart
from datwat.protocol.errors import DatwatError
from datwat.protocol.signing import MessageExpiredError

_UNDECIDED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A client in the partner's own system, as its source declaration yields it."""

    client: str
    record: Record = field(repr=False)
    kind: str
    contact: Contact = field(repr=False)
    since_at: datetime
    shielded: bool = False
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A row of the source that cannot be used: its place, its client if that is known, and why."""

    row: int
    client: str | None
    code: str


class ClientSource(Protocol):
    """Where the partner's own records are read; both may block, and are called in a thread."""

    def find_record(self, number: str) -> Record | None:
        """Return the record under a client number of the partner's own system."""

    def list_clients(self) -> Iterable[SourceRow | RowFailure]:
        """Return every involvement that the partner's own system holds now."""


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was answered: what was sent and what was verified."""

    sent: Sent
    answer: VerifiedAnswer

    def find_entry(self, person: VerifiedPerson) -> Entry | None:
        """Return where the log holds what was said about one person."""
        checkpoint = self.answer.checkpoint
        if person.core is None or person.index is None or checkpoint is None:
            return None
        return Entry(index=person.index, log_size=checkpoint.size, notice=person.core.notice)


class Desk:
    """The base of the service: resolves clients, carries out an act, keeps what it gives."""

    def __init__(
        self,
        exchange: Exchange,
        store: ClientStore,
        policy: PolicyKeeper,
        source: ClientSource | None = None,
    ) -> None:
        """Keep the parts; `source` is None for a partner without a declaration."""
        self.exchange = exchange
        self.store = store
        self.policy = policy
        self.source = source
        self.own_occasions = OwnOccasions(store.engine)

    async def find_own_record(self, number: str) -> Record | None:
        """Return the own source's record of a client number; None without a source."""
        if self.source is None:
            return None
        return await asyncio.to_thread(self.source.find_record, number)

    async def resolve(
        self, refs: Sequence[ClientRef], members: Sequence[Mapping[str, Any]]
    ) -> list[Person]:
        """Return the persons of a message, each by handle, code or record, in this order.

        Raises IdentityMissingError, IdentityMismatchError, BsnError, ClientNumberError: then
        nothing was sent.
        """
        handles = self.store.find_handles((ref.client for ref in refs), clock.now())
        return [
            await self._resolve_one(ref, handles.get(ref.client), stated)
            for ref, stated in zip(refs, members, strict=True)
        ]

    async def _resolve_one(
        self, ref: ClientRef, handle: bytes | None, members: Mapping[str, Any]
    ) -> Person:
        if ref.introduction is not None:
            return Person(code=ref.introduction, members=members)
        if handle is not None:
            if ref.record is not None:
                require_record(ref, await self.find_own_record(ref.client))
            return Person(handle=handle, members=members)
        record = require_record(ref, await self.find_own_record(ref.client))
        if "identity" in members and members["identity"] is None:
            members = {**members, "identity": record.identity}
        return Person(bsn=record.bsn, members=members)

    def require_known(
        self, numbers: Sequence[str], members: Sequence[Mapping[str, Any]]
    ) -> list[Person]:
        """Return persons by the handles that are known here; raise IdentityMissingError."""
        handles = self.store.find_handles(numbers, clock.now())
        if any(number not in handles for number in numbers):
            raise IdentityMissingError
        return [
            Person(handle=handles[number], members=stated)
            for number, stated in zip(numbers, members, strict=True)
        ]

    def require_occasion(self, number: str) -> Occasion:
        """Return an occasion by its own number; raise ReferenceUnknownError."""
        occasion = self.store.find_occasion(number)
        if occasion is None:
            raise ReferenceUnknownError(place="$.occasion")
        return occasion

    def build_statement(
        self, professional: Professional, occasion: str | None = None, **members: object
    ) -> Statement:
        """Return a statement; `occasion` is the partner's own number of it."""
        reference = self.require_occasion(occasion).reference if occasion else None
        stated = {"professional": professional, "occasion": reference, **members}
        return Statement.model_validate(stated)

    async def about(
        self,
        act: str,
        numbers: Sequence[str],
        members: Sequence[Mapping[str, Any]],
        statement: Statement,
    ) -> ActResults:
        """Carry out an act about clients that are known here by handle, and return its answer."""
        draft = Draft(act, self.require_known(numbers, members), statement)
        return build_act_results(await self.carry_out(draft, numbers), numbers)

    async def carry_out(self, draft: Draft, numbers: Sequence[str], context: object = None) -> Done:
        """Send an act about the clients `numbers` and return it once its answer is verified.

        The message is on record before it is sent; the handles in the answer are kept. Where a
        form sends it again, the message of the first time goes out (`pending.py`).

        Raises PeerError (a problem of the broker: PeerRefusedError), AnswerRefusedError,
        PendingChangedError, …
        """
        attempt = find_attempt()
        if attempt is None:
            return await self.finish(await self.prepare(draft, context), numbers)
        sent = attempt.find(draft.act, numbers, clock.now())
        if sent is not None:
            try:
                return await self._finish_waiting(attempt, sent, numbers)
            except PeerRefusedError as error:
                if error.peer_code != MessageExpiredError.code:
                    raise
            # The broker never took it in: it is said once more, and now is when it is said.
        sent = await self.prepare(draft, context)
        attempt.keep(sent, numbers, clock.now())
        return await self._finish_waiting(attempt, sent, numbers)

    async def _finish_waiting(self, attempt: Attempt, sent: Sent, numbers: Sequence[str]) -> Done:
        try:
            done = await self.finish(sent, numbers)
        except PeerRefusedError as error:
            # "Too many messages" says nothing about the one that was sent before.
            if error.status not in _UNDECIDED and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                attempt.drop(sent.act, numbers)
            raise
        attempt.drop(sent.act, numbers)
        return done

    async def prepare(self, draft: Draft, context: object = None) -> Sent:
        """Look up, sign and record a message; nothing reached the broker."""
        sent = await self.exchange.prepare(draft)
        self.store.record_sent(sent, context, clock.now(), draft.statement)
        return sent

    async def finish(self, sent: Sent, numbers: Sequence[str]) -> Done:
        """Deliver a recorded message (again), verify and record its answer, keep its handles."""
        try:
            raw = await self.exchange.deliver(sent)
        except PeerRefusedError as error:
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:  # else: the same bytes, later
                self.store.record_answer(sent.rid, None, "refused")
            raise
        try:
            answer = await self.exchange.verify(raw, sent)
        except DatwatError:
            self.store.record_answer(sent.rid, raw, "invalid")
            raise
        self.store.record_answer(sent.rid, raw, "answered")
        handles = {
            number: person.part.handle
            for number, person in zip(numbers, answer.persons, strict=True)
            if person.part.handle is not None
        }
        self.store.keep_handles(handles, clock.now())
        return Done(sent, answer)


def build_act_results(done: Done, numbers: Sequence[str]) -> ActResults:
    """Return what an act answered, by the partner's own client numbers."""
    results = tuple(
        build_act_result(done, number, person)
        for number, person in zip(numbers, done.answer.persons, strict=True)
    )
    return ActResults(rid=done.sent.rid, results=results)


def build_act_result(done: Done, number: str, person: VerifiedPerson) -> ActResult:
    """Return what an act answered about one client."""
    part = person.part
    assert isinstance(part, ActPart)  # noqa: S101 - the verification reads acts as ActPart
    return ActResult(
        client=number,
        weighing=part.weighing,
        entry=done.find_entry(person),
        state=part.state,
        expires_at=part.expires_at,
        introduction=part.introduction,
    )
