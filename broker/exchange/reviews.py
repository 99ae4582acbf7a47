"""Settling a duty: the judgement afterwards of a crisis, a dispute, a wrong person, a letter given.

Rules: each is settled once, with an outcome of its own kind; the person reads the outcome and the
words in their own log, but that a letter was handed over changes nothing and is no entry. Where the
contents of the entry are gone, the duty ends without one. The duty to tell is met by the
conversation alone, which its coordinator records: no officer ticks it off. Source: AVG 12, 14, 33.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.audit.ports import LogStore
from broker.audit.records import Appendable
from broker.consent.duties import Duty, DutyKind, Settled
from broker.exchange.answering_telling import (
    AnsweredAlreadyError,
    FoundEntry,
    Telling,
    build_reply,
    require_no_number,
)
from broker.exchange.disputes import FALLEN, STANDS, settle_dispute
from broker.exchange.rooms import Rooms
from datwat.party.errors import PartyError
from datwat.protocol.acts import Professional

OUTCOMES: Final[Mapping[DutyKind, tuple[str, ...]]] = {
    "urgent": ("review_justified", "review_unjustified"),
    "dispute": (STANDS, FALLEN),
    "wrong_person": ("no_breach", "breach"),
    "desk": ("letter_given",),
    "tell": (),
}
_SILENT: Final = frozenset({"letter_given"})


class DutyUnknownError(PartyError):
    """Nothing under this number; what waits for its opening looks the same."""

    code = "duty_unknown"
    default_detail = "Under this number nothing waits here: look at the list."


class OutcomeUnfitError(PartyError):
    """An outcome that this list does not have."""

    code = "outcome_unfit"
    default_detail = "This list has other outcomes."


class TextMissingError(PartyError):
    """An outcome that the person is told of, without a word."""

    code = "answer_text_missing"
    default_detail = "The person reads why: write at least ten characters."


_SHORTEST: Final = 10


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a duty is met: the outcome, and the words of who judged it."""

    outcome: str
    by: Professional
    text: str


class Reviews:
    """Settles duties; one object per use."""

    def __init__(self, rooms: Rooms, store: LogStore, telling: Telling) -> None:
        self._rooms = rooms
        self._store = store
        self._telling = telling

    def find(self, kind: DutyKind, number: str) -> tuple[Duty, FoundEntry | None]:
        """Return a duty, met or not, with the entry that it follows from; None: it is gone.

        Raises DutyUnknownError.
        """
        with self._store.reading() as conn:
            duty = self._rooms.registers.duties.find(conn, kind, number, self._now())
            if duty is None:
                raise DutyUnknownError
            found = self._telling.find_by_message(conn, duty.subject_id, duty.rid, duty.since_at)
        return duty, found

    async def settle(self, kind: DutyKind, number: str, judgement: Judgement) -> None:
        """Settle a duty, and tell its person.

        Raises DutyUnknownError, OutcomeUnfitError, TextMissingError, NumberInAnswerError,
        AnsweredAlreadyError, LogError.
        """
        outcome, text, role = judgement.outcome, judgement.text, judgement.by.role
        if outcome not in OUTCOMES[kind]:
            allowed = ", ".join(OUTCOMES[kind]) or "none: a recorded conversation ends it"
            raise OutcomeUnfitError(f"The outcomes of this list are: {allowed}.")
        if outcome not in _SILENT and len(text) < _SHORTEST:
            raise TextMissingError
        require_no_number(text, role)
        reply = build_reply(judgement.by, text) if text else None
        duty, entry = self.find(kind, number)
        if duty.ended_at is not None:
            raise AnsweredAlreadyError
        now, registers = self._now(), self._rooms.registers

        def write(conn: Connection) -> None:
            settled = Settled(outcome, text, role)
            registers.duties.settle(conn, duty, settled, now)
            if kind == "dispute":
                settle_dispute(registers, conn, duty.subject_id, outcome, now)

        if entry is None or reply is None or outcome in _SILENT:

            def work(conn: Connection) -> Sequence[Appendable]:
                write(conn)
                return []

            await self._telling.do(work)
            return
        await self._telling.tell(entry, Detail(outcome=outcome), reply, now, write)

    def _now(self) -> datetime:
        return self._rooms.clock().replace(microsecond=0)
