"""The register of what residents said: give, withdraw, object, answer, shield.

Rule: what is past its end at `now` is absent; a withdrawn consent is still listed until its end, so
that the decision can say why it does not count. Answering and shielding are for people: no page
leads to `answer_objection`, `shield` and `unshield` yet. Source: AVG 7(3), 18, 21.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.consent.models import ConsentRow, ObjectionRow, ObjectionState


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

    def answer_objection(
        self, conn: Connection, objection_id: bytes, state: ObjectionState, now: datetime
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already."""

    def list_objections(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[ObjectionRow, ...]:
        """Return a person's objections, the newest first."""

    def shield(self, conn: Connection, subject_id: bytes, until_at: datetime) -> None:
        """Shield a person's address everywhere until then (geheim adres), by their own wish."""

    def unshield(self, conn: Connection, subject_id: bytes) -> None:
        """Take the person's own shield away; what a source shields stays."""

    def find_shield(self, conn: Connection, subject_id: bytes, now: datetime) -> datetime | None:
        """Return until when a person shielded themselves, or None."""
