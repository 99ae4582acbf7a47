"""What a resident said, with state, number, until when an answer is due, and the answer.

Rules: a row is listed only where an entry tells of it in the chains that who looks may read (or
did, and its contents are gone): what waits for its opening, or is for the person alone, differs in
nothing, and costs nothing. Source: AVG 7(3), 12(3), 18, 21; audit-log.md ("Chains").
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from broker.audit.told import Found, ToldLines
from broker.consent.models import (
    BlockRow,
    ConsentRow,
    ObjectionRow,
    QuestionRow,
    Shield,
    derive_answer_end,
)
from broker.consent.models import Reply as ReplyRow
from broker.consent.register import ConsentRegister
from broker.consent.wishes import Wishes
from datwat.party.trust_list import Directory
from datwat.protocol.own_affairs import (
    OwnBlock,
    OwnConsent,
    OwnObjection,
    OwnQuestion,
    OwnShield,
    OwnWishes,
    Reply,
)

_NO_NAME = "-"
_EVENTS: Final = frozenset({"wish", "record_consent", "record_objection", "answered"})


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the registers hold of a person."""

    consents: Sequence[ConsentRow]
    objections: Sequence[ObjectionRow]
    blocks: Sequence[BlockRow]
    questions: Sequence[QuestionRow]
    shield: Shield | None

    def list_recorded(self) -> dict[bytes, datetime]:
        """Return since when an entry tells of each row, by its id."""
        return {
            **{row.id: row.recorded_at or row.given_at for row in self.consents},
            **{row.id: row.waiting_since for row in self.objections},
            **{row.id: row.since_at for row in self.blocks},
            **{row.id: row.asked_at for row in self.questions},
        }


class _Numbers:
    """Which entry tells of what, for one pair of eyes."""

    def __init__(self, found: Found, recorded: dict[bytes, datetime]) -> None:
        self._of_row = {one: line.index for line in found.lines for one in line.ids}
        self._recorded = recorded
        self._gone = found.gone
        self._answers = {
            line.told.detail.answers: line.index
            for line in found.lines
            if line.told.event == "answered" and line.told.detail
        }
        self._withdrawals = {
            line.told.detail.withdraws: line.at
            for line in found.lines
            if line.told.detail and line.told.detail.withdraws is not None
        }
        self._shields = {
            line.at: line.index
            for line in found.lines
            if line.told.detail and line.told.detail.shields
        }

    def is_told(self, row_id: bytes) -> bool:
        """Tell whether the row may be seen at all."""
        return row_id in self._of_row or self._recorded[row_id] in self._gone

    def find(self, row_id: bytes) -> int | None:
        """Return the entry that tells of a row; None where its contents are gone."""
        return self._of_row.get(row_id)

    def find_answer(self, number: int | None) -> int | None:
        """Return the entry that answers the one with this index."""
        return self._answers.get(number) if number is not None else None

    def find_withdrawal(self, number: int | None) -> datetime | None:
        """Return when the consent of the entry with this index was withdrawn, as far as is told."""
        return self._withdrawals.get(number) if number is not None else None

    def find_shield(self, since_at: datetime) -> int | None:
        """Return the entry of a shield of this moment."""
        return self._shields.get(since_at)


class WishReader:
    """Reads what a person said; blocking."""

    def __init__(self, consents: ConsentRegister, wishes: Wishes, lines: ToldLines) -> None:
        self._consents = consents
        self._wishes = wishes
        self._lines = lines

    def read(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        *,
        directory: Directory,
        rid: bytes,
        now: datetime,
    ) -> OwnWishes:
        """Return all that counts or waits for an answer and may be seen in these chains."""
        with_own = "own" in audiences
        rows = _Rows(
            self._consents.list_consents(conn, subject_id, now),
            self._consents.list_objections(conn, subject_id, now, with_lifted=not with_own),
            self._wishes.list_blocks(conn, subject_id, now, with_lifted=not with_own),
            self._wishes.list_questions(conn, subject_id, now),
            self._consents.find_shield(conn, subject_id, now),
        )
        # All of the chains that may be read: what lies in others costs nothing.
        found = self._lines.read_all(conn, subject_id, audiences, _EVENTS)
        numbers = _Numbers(found, rows.list_recorded())
        names = _Names(directory)
        return OwnWishes(
            v=1,
            rid=rid,
            as_of=now,
            consents=tuple(
                _build_consent(row, numbers, names, with_own=with_own)
                for row in rows.consents
                if numbers.is_told(row.id)
            ),
            objections=tuple(
                _build_objection(row, numbers, names)
                for row in rows.objections
                if numbers.is_told(row.id)
            ),
            questions=tuple(
                _build_question(row, numbers, names)
                for row in rows.questions
                if numbers.is_told(row.id)
            ),
            blocks=tuple(
                _build_block(row, numbers, names) for row in rows.blocks if numbers.is_told(row.id)
            ),
            shield=_build_shield(rows.shield, numbers, with_own=with_own),
        )


class _Names:
    """What parties are called."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __call__(self, party: str) -> str:
        held = self._directory.partners.get(party)
        return held.name if held else _NO_NAME

    def find(self, party: str | None) -> str | None:
        """Return a name, or None where nobody is named."""
        return self(party) if party is not None else None


def _build_consent(
    row: ConsentRow, numbers: _Numbers, names: _Names, *, with_own: bool
) -> OwnConsent:
    """Return a consent; a representative sees a withdrawal of which their chain tells only."""
    number = numbers.find(row.id)
    return OwnConsent(
        number=number,
        kind=row.kind,
        purpose=row.purpose,
        product=row.product,
        fields=row.fields,
        source=row.source,
        source_name=names.find(row.source),
        requester=row.requester,
        requester_name=names.find(row.requester),
        given_by=row.given_by,
        given_at=row.given_at,
        until_at=row.until_at,
        withdrawn_at=row.withdrawn_at if with_own else numbers.find_withdrawal(number),
        recorded_by=row.recorded_by,
        recorded_by_name=names(row.recorded_by),
    )


def _build_objection(row: ObjectionRow, numbers: _Numbers, names: _Names) -> OwnObjection:
    number = numbers.find(row.id)
    return OwnObjection(
        number=number,
        purpose=row.purpose,
        reason=row.reason,
        made_at=row.waiting_since,
        answer_by=derive_answer_end(row.waiting_since),
        state=row.state,
        answer=_build_reply(row.reply, row.answered_at, numbers.find_answer(number)),
        remedy=row.reply.remedy if row.reply else None,
        recorded_by=row.recorded_by,
        recorded_by_name=names(row.recorded_by),
    )


def _build_question(row: QuestionRow, numbers: _Numbers, names: _Names) -> OwnQuestion:
    number = numbers.find(row.id)
    return OwnQuestion(
        number=number,
        to=row.to,
        to_name=names.find(row.to),
        about=row.about,
        text=row.text,
        asked_at=row.asked_at,
        answer_by=derive_answer_end(row.asked_at),
        state="answered" if row.answered_at else "open",
        answer=_build_reply(row.reply, row.answered_at, numbers.find_answer(number)),
    )


def _build_block(row: BlockRow, numbers: _Numbers, names: _Names) -> OwnBlock:
    return OwnBlock(
        number=numbers.find(row.id),
        organisation=row.organisation,
        organisation_name=names(row.organisation),
        since_at=row.since_at,
        until_at=row.until_at,
    )


def _build_shield(held: Shield | None, numbers: _Numbers, *, with_own: bool) -> OwnShield | None:
    """Return the shield as far as who looks may know of it: a representative, only of theirs."""
    if held is None or (with_own and held.lifted):
        return None
    since_at = held.own_at or held.open_at if with_own else held.open_at
    if since_at is None:
        return None
    until_at = held.until_at if with_own else held.derive_end(since_at)
    return OwnShield(number=numbers.find_shield(since_at), since_at=since_at, until_at=until_at)


def _build_reply(reply: ReplyRow | None, at: datetime | None, number: int | None) -> Reply | None:
    if reply is None or at is None:
        return None
    return Reply(number=number, at=at, role=reply.by.role, text=reply.text)
