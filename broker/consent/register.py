"""The register of what residents said that bears on a decision: give, withdraw, object, shield.

Rule: what is past its end at `now` is absent; a withdrawn consent is still listed until its end, so
that the decision can say why it does not count; an objection that is taken back is gone. Blocks and
questions: `wishes.py`. Source: AVG 7(3), 18, 21.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.consent.models import ConsentRow, ObjectionRow, Reply, Shield
from datwat.protocol.own_affairs import ObjectionState


class ConsentRegister(Protocol):
    """Where consents, objections and shields lie."""

    def add_consent(self, conn: Connection, row: ConsentRow) -> None:
        """Add a consent."""

    def find_consent(
        self, conn: Connection, subject_id: bytes, consent_id: bytes, now: datetime
    ) -> ConsentRow | None:
        """Return this person's consent of that id, withdrawn or not; None for anybody else's."""

    def withdraw(
        self, conn: Connection, subject_id: bytes, consent_id: bytes, now: datetime
    ) -> None:
        """Withdraw this person's consent; RaceLost where it is withdrawn or over already."""

    def list_consents(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[ConsentRow, ...]:
        """Return a person's consents, withdrawn ones too, the newest first."""

    def add_objection(self, conn: Connection, row: ObjectionRow) -> None:
        """Add an objection."""

    def find_objection(
        self, conn: Connection, subject_id: bytes, objection_id: bytes, now: datetime
    ) -> ObjectionRow | None:
        """Return this person's objection of that id, lifted or not; None for anybody else's."""

    def lift_objection(
        self, conn: Connection, row: ObjectionRow, now: datetime, *, keeps: bool
    ) -> None:
        """End an objection that is taken back; RaceLost where it is gone.

        With `keeps` it counts no more and stays as it is for a representative to see.
        """

    def answer_objection(
        self,
        conn: Connection,
        row: ObjectionRow,
        state: ObjectionState,
        reply: Reply,
        now: datetime,
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already, or taken back."""

    def list_open_objections(
        self, conn: Connection, now: datetime, limit: int
    ) -> tuple[ObjectionRow, ...]:
        """Return what waits for an officer, the oldest first."""

    def count_overdue_objections(self, conn: Connection, now: datetime) -> int:
        """Return how many objections wait longer than a month."""

    def list_objections(
        self, conn: Connection, subject_id: bytes, now: datetime, *, with_lifted: bool = False
    ) -> tuple[ObjectionRow, ...]:
        """Return a person's objections, the newest first; those that count, or all kept."""

    def shield(self, conn: Connection, subject_id: bytes, shield: Shield | None) -> None:
        """Shield a person's address everywhere (geheim adres), by their own wish; None: no more.

        What a source shields stays.
        """

    def find_shield(self, conn: Connection, subject_id: bytes, now: datetime) -> Shield | None:
        """Return how and until when a person shielded themselves, lifted or not, or None."""
