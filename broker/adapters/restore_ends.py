"""Ending again what ended after a backup, as the ratchet holds it.

Rule: it comes before anything is served; each statement changes nothing where it is so already.
Source: house reference "audit-log", Ends ("`restore` replays the ratchet before serving").
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    BindParameter,
    Connection,
    Delete,
    Update,
    bindparam,
    delete,
    select,
    update,
)

from broker.adapters.consent_store import SqlConsentRegister
from broker.adapters.ends_store import SqlEnds
from broker.adapters.log_tables import DataSubject
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.rows import RowSealer
from broker.adapters.tables import (
    BlockRecord,
    ConsentRecord,
    IntroductionRecord,
    InvolvementRecord,
    MemberRecord,
    ObjectionRecord,
    OccasionRecord,
    ReferenceRecord,
    table_of,
)
from broker.adapters.wish_store import SqlWishes
from broker.audit.ended import Ended, EndedKind, read_ended
from broker.audit.erasing import Eraser, IsWaiting
from broker.audit.ports import KekPort
from broker.consent.models import BlockRow, ObjectionRow, Shield
from broker.pseudonyms.row_keys import RowKeys
from datwat.party.ratchet import Ratchet

_I, _R, _C = table_of(InvolvementRecord), table_of(ReferenceRecord), table_of(ConsentRecord)
_O, _M = table_of(OccasionRecord), table_of(MemberRecord)
_N, _B = table_of(IntroductionRecord), table_of(ObjectionRecord)
_BLOCKS = table_of(BlockRecord)
_SUBJECTS = log_table_of(DataSubject)
_KEPT = timedelta(days=30)
_SHIELD: TypeAdapter[Shield | None] = TypeAdapter(Shield | None)
_ID: BindParameter[Any] = bindparam("b_id")
_END_POINTER = (
    update(_I)
    .where(_I.c.id == _ID, _I.c.ended_at.is_(None))
    .values(ended_at=bindparam("b_now"), end_reason="ended", until_at=bindparam("b_until"))
)
_END_TARGET = delete(_R).where(_R.c.target == _ID)
_ANNUL = delete(_I).where(_I.c.id == _ID)
_WITHDRAW = (
    update(_C)
    .where(_C.c.id == _ID, _C.c.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("b_now"))
)
_CLOSE = (
    update(_O).where(_O.c.id == _ID, _O.c.closed_at.is_(None)).values(closed_at=bindparam("b_now"))
)
_REMOVE = delete(_M).where(_M.c.occasion_id == _ID, _M.c.subject_id == bindparam("b_subject"))
_LIFT = tuple(delete(table).where(table.c.id == _ID) for table in (_B, _BLOCKS))
_END_REFERENCE = delete(_R).where(_R.c.lookup == _ID)
_REDEEM = (
    update(_N)
    .where(_N.c.lookup == _ID, _N.c.redeemed_at.is_(None))
    .values(redeemed_at=bindparam("b_now"))
)


class Replay:
    """Ends again, kind by kind; `counts` says how much was still there."""

    def __init__(
        self,
        conn: Connection,
        *,
        kek: KekPort,
        row_key: RowKeys | bytes,
        is_waiting: IsWaiting,
        now: datetime,
    ) -> None:
        self.counts: dict[str, int] = {}
        self._conn = conn
        self._kek = kek
        self._consents = SqlConsentRegister(RowSealer(row_key))
        self._wishes = SqlWishes(RowSealer(row_key))
        self._eraser = Eraser(SqlEnds(), kek, is_waiting)
        self._now = now

    def run(self, ratchet: Ratchet) -> None:
        """End all that the ratchet says ended."""
        now = self._now
        steps: dict[EndedKind, Callable[[Ended], int]] = {
            "pointer": self._end_pointer,
            "annulled": self._annul,
            "member": self._remove_member,
            "occasion": lambda one: self._run(_CLOSE, one, b_now=now),
            "consent": lambda one: self._run(_WITHDRAW, one, b_now=now),
            "objection": self._object,
            "block": self._block,
            "lifted": lambda one: sum(self._run(statement, one) for statement in _LIFT),
            "shield": self._shield,
            "reference": lambda one: self._run(_END_REFERENCE, one),
            "introduction": lambda one: self._run(_REDEEM, one, b_now=now),
            "erased": self._erase,
            "asked": self._erase_asked,
            "subject": self._end_subject,
        }
        for kind, step in steps.items():
            for one in read_ended(ratchet, self._kek, kind):
                self.counts[kind] = self.counts.get(kind, 0) + step(one)

    def _run(self, statement: Update | Delete, one: Ended, **more: object) -> int:
        given = {"b_id": bytes.fromhex(one.id.split(" ")[0]), **more}
        return self._conn.execute(statement, given).rowcount

    def _end_pointer(self, one: Ended) -> int:
        self._run(_END_TARGET, one)
        return self._run(_END_POINTER, one, b_now=self._now, b_until=self._now + _KEPT)

    def _annul(self, one: Ended) -> int:
        self._run(_END_TARGET, one)
        return self._run(_ANNUL, one)

    def _remove_member(self, one: Ended) -> int:
        return self._run(_REMOVE, one, b_subject=bytes.fromhex(one.id.split(" ")[1]))

    def _object(self, one: Ended) -> int:
        """Put an objection back; that of a person who came after the backup finds nobody."""
        if one.words is None:
            return 0
        row = ObjectionRow.model_validate_json(one.words)
        held = self._conn.execute(select(_B.c.id).where(_B.c.id == row.id)).first()
        if held is not None or not self._is_known(row.subject_id):
            return 0
        self._consents.add_objection(self._conn, row)
        return 1

    def _block(self, one: Ended) -> int:
        """Put a block back, as an objection is."""
        if one.words is None:
            return 0
        row = BlockRow.model_validate_json(one.words)
        held = self._conn.execute(select(_BLOCKS.c.id).where(_BLOCKS.c.id == row.id)).first()
        if held is not None or not self._is_known(row.subject_id):
            return 0
        self._wishes.add_block(self._conn, row)
        return 1

    def _shield(self, one: Ended) -> int:
        """Shield or unshield a person as they wished; the oldest comes first, the last one stays.

        What is over at `now` is written too: it counts no more, and is destroyed like any other.
        """
        subject_id = bytes.fromhex(one.id)
        if one.words is None or not self._is_known(subject_id):
            return 0
        wanted = _SHIELD.validate_json(one.words)
        if wanted == self._consents.find_shield(self._conn, subject_id, self._now):
            return 0
        self._consents.shield(self._conn, subject_id, wanted)
        return 1

    def _is_known(self, subject_id: bytes) -> bool:
        person = select(_SUBJECTS.c.subject_id).where(_SUBJECTS.c.subject_id == subject_id)
        return self._conn.execute(person).first() is not None

    def _erase(self, one: Ended) -> int:
        subject, quarter, moment = one.id.split(" ")
        place = (bytes.fromhex(subject), quarter)
        until = datetime.fromtimestamp(int(moment), UTC)
        count, _ = self._eraser.erase(self._conn, [place], until)
        return count

    def _erase_asked(self, one: Ended) -> int:
        """Erase one content that was erased on request, whatever its retention in the backup."""
        subject, quarter, commit = map(bytes.fromhex, one.id.split(" "))
        place = (subject, quarter.decode())
        return self._eraser.erase_chosen(self._conn, [place], {commit}, self._now)

    def _end_subject(self, one: Ended) -> int:
        """End a person; whoever had ended before the backup was not there to end again."""
        subject_id = bytes.fromhex(one.id)
        held = select(_SUBJECTS.c.subject_id).where(_SUBJECTS.c.subject_id == subject_id)
        was_there = self._conn.execute(held).first() is not None
        # In any case: what else names them goes too.
        over = SqlEnds().destroy_subjects(self._conn, [subject_id])
        return len(over) if was_there else 0
