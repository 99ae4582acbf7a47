"""Blocks, questions, wishes for erasure: a person's own, over in time, answered once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from broker.adapters.tables import BlockRecord, table_of
from broker.consent.models import derive_answer_end
from broker.exchange.registers import Registers
from broker.pseudonyms.errors import RaceLost, RowMismatch
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import (
    DAY,
    NOW,
    REPLY,
    build_block,
    build_erasure,
    build_question,
    build_shield,
)

B = table_of(BlockRecord)


def test_a_block_is_the_persons_own_and_ends(conn: Connection, registers: Registers) -> None:
    row, wishes = build_block(), registers.wishes
    wishes.add_block(conn, row)
    assert wishes.list_blocks(conn, row.subject_id, NOW) == (row,)
    assert wishes.find_block(conn, row.subject_id, row.id, NOW) == row
    assert wishes.list_blocks(conn, draw_id(), NOW) == ()
    assert wishes.find_block(conn, draw_id(), row.id, NOW) is None
    assert wishes.list_blocks(conn, row.subject_id, row.until_at) == ()


def test_a_block_that_is_taken_back_is_gone(conn: Connection, registers: Registers) -> None:
    row, wishes = build_block(), registers.wishes
    wishes.add_block(conn, row)
    wishes.lift_block(conn, row, NOW, keeps=True)
    assert wishes.list_blocks(conn, row.subject_id, NOW) == ()
    (kept,) = wishes.list_blocks(conn, row.subject_id, NOW, with_lifted=True)
    assert kept == row.model_copy(update={"lifted_at": NOW})
    wishes.lift_block(conn, kept, NOW, keeps=False)
    assert wishes.list_blocks(conn, row.subject_id, NOW, with_lifted=True) == ()
    with pytest.raises(RaceLost):
        wishes.lift_block(conn, row, NOW, keeps=False)


def test_a_block_given_to_another_person_is_an_alarm(
    conn: Connection, registers: Registers
) -> None:
    row, other = build_block(), draw_id()
    registers.wishes.add_block(conn, row)
    conn.execute(update(B).values(subject_id=other))
    with pytest.raises(RowMismatch):
        registers.wishes.list_blocks(conn, other, NOW)


def test_a_question_is_answered_once(conn: Connection, registers: Registers) -> None:
    row, wishes = build_question(), registers.wishes
    wishes.add_question(conn, row)
    assert wishes.list_questions(conn, row.subject_id, NOW) == (row,)
    assert wishes.find_question(conn, draw_id(), row.id, NOW) is None
    wishes.answer_question(conn, row, REPLY, NOW + DAY)
    [found] = wishes.list_questions(conn, row.subject_id, NOW)
    assert found == row.model_copy(update={"answered_at": NOW + DAY, "reply": REPLY})
    with pytest.raises(RaceLost):
        wishes.answer_question(conn, row, REPLY, NOW + DAY)


def test_what_waits_is_listed_oldest_first(conn: Connection, registers: Registers) -> None:
    wishes = registers.wishes
    rows = [build_question(asked_at=NOW - days * DAY) for days in (1, 40, 20)]
    for row in rows:
        wishes.add_question(conn, row)
    assert wishes.list_open_questions(conn, NOW, 2) == (rows[1], rows[2])
    assert wishes.count_overdue_questions(conn, NOW) == 1
    wishes.answer_question(conn, rows[1], REPLY, NOW)
    assert wishes.list_open_questions(conn, NOW, 9) == (rows[2], rows[0])
    assert wishes.count_overdue_questions(conn, NOW) == 0


def test_a_wish_for_erasure_waits_until_it_is_answered(
    conn: Connection, registers: Registers
) -> None:
    wishes = registers.wishes
    rows = [build_erasure(erases=days, asked_at=NOW - days * DAY) for days in (1, 40, 20)]
    gone = build_erasure(erases=9, asked_at=NOW - 50 * DAY, until_at=NOW)
    for row in (*rows, gone):
        wishes.add_erasure(conn, row)
    assert wishes.list_erasures(conn, NOW, 2) == (rows[1], rows[2])
    assert wishes.count_overdue_erasures(conn, NOW) == 1
    for other in ((b"x" * 16, 40), (rows[1].subject_id, 41)):
        wishes.end_erasure(conn, *other, rows[1].asked_at)
    assert wishes.count_overdue_erasures(conn, NOW) == 1
    wishes.end_erasure(conn, rows[1].subject_id, 40, rows[1].asked_at)
    assert wishes.list_erasures(conn, NOW, 9) == (rows[2], rows[0])
    assert wishes.count_overdue_erasures(conn, NOW) == 0


@pytest.mark.parametrize(
    ("asked_at", "answer_by"),
    [
        (datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 2, 28, 9, tzinfo=UTC)),
        (datetime(2028, 1, 31, 9, tzinfo=UTC), datetime(2028, 2, 29, 9, tzinfo=UTC)),
        (datetime(2026, 12, 15, 9, tzinfo=UTC), datetime(2027, 1, 15, 9, tzinfo=UTC)),
        (datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 12, 30, 9, tzinfo=UTC)),
    ],
)
def test_an_answer_is_due_a_month_later(asked_at: datetime, answer_by: datetime) -> None:
    assert derive_answer_end(asked_at) == answer_by


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis takes naive bounds
)
def test_a_month_is_a_month(asked_at: datetime) -> None:
    answer_by = derive_answer_end(asked_at)
    assert timedelta(days=28) <= answer_by - asked_at <= timedelta(days=31)
    assert (answer_by.month - asked_at.month) % 12 == 1
    assert answer_by.time() == asked_at.time()


def test_what_a_person_asks_for_later_moves_no_end_of_a_representatives_shield() -> None:
    theirs = build_shield(NOW + 100 * DAY, own_at=None, open_at=NOW)
    both = theirs.model_copy(update={"own_at": NOW + 7 * DAY, "until_at": NOW + 107 * DAY})
    assert both.derive_end(NOW) == theirs.until_at
    assert both.leave(NOW, own=False, lifted=True) == theirs.model_copy(update={"lifted": True})
    assert both.leave(NOW + 7 * DAY, own=True) == both.model_copy(update={"open_at": None})
    earlier = theirs.model_copy(update={"own_at": NOW - 7 * DAY})
    assert earlier.leave(NOW - 7 * DAY, own=True).until_at == NOW + 93 * DAY
