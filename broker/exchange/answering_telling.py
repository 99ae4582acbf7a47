"""Telling a person what an officer answered or judged: one entry, in the chain of what it answers.

Rules: what waits for its opening cannot be answered here, and looks like what never was; the answer
and what it changes are one transaction; whoever comes second is told so. Source: AVG 12(1), 12(3).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection

from broker.audit.payloads import Detail, Organisation, Record, build_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job
from broker.audit.told import ToldLine, ToldLines
from broker.consent.models import Reply
from broker.exchange.opening import seal_draft
from broker.exchange.rooms import Rooms
from broker.pseudonyms.errors import RaceLost
from datwat.party.errors import PartyError
from datwat.party.problems import InputInvalidError
from datwat.protocol.acts import Professional
from datwat.protocol.free_text import has_number
from datwat.protocol.own_affairs import Remedy

VISIBLE: Final = ("open", "own")


class AnsweredAlreadyError(PartyError):
    """Somebody answered it before; the resident has that answer."""

    code = "answered_already"
    default_detail = "It was answered before, and the resident has that answer."


class NumberInAnswerError(PartyError):
    """A text of an officer that holds what may be a citizen service number."""

    code = "number_in_answer"
    default_detail = (
        "This text holds a number of nine digits that may be a citizen service number: leave it "
        "out. Nothing was kept."
    )


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """The entry of what is answered, and what it says."""

    row: EntryRow = field(repr=False)
    line: ToldLine

    @property
    def number(self) -> int:
        """Its place in the log."""
        return self.line.index

    @property
    def subject_id(self) -> bytes:
        """Whose it is."""
        assert self.row.subject_id is not None  # noqa: S101 - found as an entry about a person
        return self.row.subject_id

    @property
    def chain(self) -> ChainRef:
        """The chain that it lies in, and its answer too."""
        return ChainRef(self.subject_id, "own" if self.row.audience == "own" else "open")


def require_no_number(*texts: str) -> None:
    """Raise NumberInAnswerError where a text may hold a citizen service number (promise 1)."""
    if any(has_number(text) for text in texts):
        raise NumberInAnswerError


def build_reply(by: Professional, text: str, remedy: Remedy | None = None) -> Reply:
    """Return the answer as it is kept; raise InputInvalidError for words that no text may hold."""
    try:
        return Reply(by=by, text=text.strip(), remedy=remedy)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None


class Telling:
    """Finds what is answered, and writes the answer."""

    def __init__(
        self, rooms: Rooms, store: LogStore, lines: ToldLines, party: Organisation
    ) -> None:
        """Keep the rooms; `party` is who answers: the broker, for its officer."""
        self._rooms = rooms
        self._store = store
        self._lines = lines
        self._party = party

    def find_entry(self, conn: Connection, number: int) -> FoundEntry | None:
        """Return the entry with this number that its person can see, with its contents; or None."""
        row = self._store.find_entry(conn, number) if number >= 0 else None
        if row is None or row.subject_id is None or row.audience not in VISIBLE:
            return None
        found = self._lines.read_at(conn, row.subject_id, VISIBLE, {row.at})
        line = next((line for line in found.lines if line.index == number), None)
        return FoundEntry(row, line) if line is not None else None

    def find_by_message(
        self, conn: Connection, subject_id: bytes, rid: bytes, at: datetime
    ) -> FoundEntry | None:
        """Return the entry about a person that a message of that `rid` made at a moment, or None.

        One that waited is found where it was opened.
        """
        lines = [*self._lines.read_at(conn, subject_id, VISIBLE, {at}).lines]
        if not any(line.told.rid == rid for line in lines):
            lines = [*self._lines.read_all(conn, subject_id, VISIBLE, since=at).lines]
        fitting = [line.index for line in lines if line.told.rid == rid]
        return self.find_entry(conn, min(fitting)) if fitting else None

    async def tell(
        self,
        entry: FoundEntry,
        said: Detail,
        reply: Reply,
        now: datetime,
        write: Callable[[Connection], None],
    ) -> None:
        """Write the answer and the entry that tells it, in one transaction.

        Raises NumberInAnswerError, AnsweredAlreadyError, LogError.
        """
        require_no_number(reply.text, reply.by.role)
        told = {
            "answers": entry.number,
            "answer": reply.text,
            "decider_role": reply.by.role,
        }
        record = Record(
            v=1,
            event="answered",
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="now",
            detail=said.model_copy(update=told),
        )
        draft = EntryDraft(
            chain=entry.chain,
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + self._rooms.engine.retention,
        )

        def work(conn: Connection) -> Sequence[Appendable]:
            write(conn)
            return [seal_draft(self._rooms, self._store, conn, draft)]

        await self.do(work)

    async def do(self, work: Callable[[Connection], Sequence[Appendable]]) -> None:
        """Do work in the log's transaction; raise AnsweredAlreadyError where it was done before."""
        try:
            await self._rooms.log.append(Job(work))
        except RaceLost:  # another officer was first, or its person took it back
            raise AnsweredAlreadyError from None
