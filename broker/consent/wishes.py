"""The register of what residents wish: who may not look, what they ask, what is to be erased.

Rule: what is past its end at `now`, and a block that was taken back, is absent. A block is weighed
like an objection that names one organisation; a question, and a wish for erasure, bear on nothing
and wait for an answer.
Source: AVG 12, 15, 21.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.consent.models import BlockRow, ErasureRow, QuestionRow, Reply


class Wishes(Protocol):
    """Where blocks, questions and wishes for erasure lie."""

    def add_block(self, conn: Connection, row: BlockRow) -> None:
        """Add a block."""

    def find_block(
        self, conn: Connection, subject_id: bytes, block_id: bytes, now: datetime
    ) -> BlockRow | None:
        """Return this person's block of that id, lifted or not; None for anybody else's."""

    def lift_block(self, conn: Connection, row: BlockRow, now: datetime, *, keeps: bool) -> None:
        """End a block that is taken back; RaceLost where it is gone.

        With `keeps` it counts no more and stays as it is for a representative to see.
        """

    def list_blocks(
        self, conn: Connection, subject_id: bytes, now: datetime, *, with_lifted: bool = False
    ) -> tuple[BlockRow, ...]:
        """Return whom a person does not want to look, the newest first; or all that are kept."""

    def add_question(self, conn: Connection, row: QuestionRow) -> None:
        """Add a question."""

    def find_question(
        self, conn: Connection, subject_id: bytes, question_id: bytes, now: datetime
    ) -> QuestionRow | None:
        """Return this person's question of that id; None for anybody else's."""

    def answer_question(
        self, conn: Connection, row: QuestionRow, reply: Reply, now: datetime
    ) -> None:
        """Write the officer's answer; RaceLost where it was answered already."""

    def list_questions(
        self, conn: Connection, subject_id: bytes, now: datetime
    ) -> tuple[QuestionRow, ...]:
        """Return what a person asked, the newest first."""

    def list_open_questions(
        self, conn: Connection, now: datetime, limit: int
    ) -> tuple[QuestionRow, ...]:
        """Return what waits for an answer, the oldest first."""

    def count_overdue_questions(self, conn: Connection, now: datetime) -> int:
        """Return how many questions wait longer than a month."""

    def add_erasure(self, conn: Connection, row: ErasureRow) -> None:
        """Add a wish for erasure."""

    def end_erasure(
        self, conn: Connection, subject_id: bytes, erases: int, asked_at: datetime
    ) -> None:
        """End a wish that was answered; nothing happens where it is not there."""

    def list_erasures(self, conn: Connection, now: datetime, limit: int) -> tuple[ErasureRow, ...]:
        """Return the wishes for erasure that wait for an answer, the oldest first."""

    def count_overdue_erasures(self, conn: Connection, now: datetime) -> int:
        """Return how many wishes for erasure wait longer than a month."""
