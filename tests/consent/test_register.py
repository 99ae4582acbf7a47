"""What a resident said: their own, once withdrawn for good, over when it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from broker.adapters.tables import ConsentRecord, table_of
from broker.consent.register import ConsentRegister
from broker.exchange.registers import Registers
from broker.pseudonyms.errors import RaceLost, RowMismatch
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import (
    DAY,
    NOW,
    REPLY,
    build_consent,
    build_objection,
    build_shield,
)

C = table_of(ConsentRecord)


@pytest.fixture
def register(registers: Registers) -> ConsentRegister:
    return registers.consents


def test_a_consent_is_the_persons_own(conn: Connection, register: ConsentRegister) -> None:
    row = build_consent()
    register.add_consent(conn, row)
    assert register.list_consents(conn, row.subject_id, NOW) == (row,)
    assert register.find_consent(conn, row.subject_id, row.id, NOW) == row
    stranger = draw_id()
    assert register.list_consents(conn, stranger, NOW) == ()
    assert register.find_consent(conn, stranger, row.id, NOW) is None


def test_a_withdrawn_consent_counts_no_more(conn: Connection, register: ConsentRegister) -> None:
    row = build_consent()
    register.add_consent(conn, row)
    register.withdraw(conn, row.subject_id, row.id, NOW)
    [found] = register.list_consents(conn, row.subject_id, NOW)
    assert found == row.model_copy(update={"withdrawn_at": NOW})
    with pytest.raises(RaceLost):
        register.withdraw(conn, row.subject_id, row.id, NOW + DAY)


def test_nobody_withdraws_anothers_consent(conn: Connection, register: ConsentRegister) -> None:
    row = build_consent()
    register.add_consent(conn, row)
    with pytest.raises(RaceLost):
        register.withdraw(conn, draw_id(), row.id, NOW)
    assert register.list_consents(conn, row.subject_id, NOW) == (row,)


def test_a_consent_that_is_over_is_absent(conn: Connection, register: ConsentRegister) -> None:
    row = build_consent()
    register.add_consent(conn, row)
    last = row.until_at - timedelta(seconds=1)
    assert register.list_consents(conn, row.subject_id, last) == (row,)
    assert register.list_consents(conn, row.subject_id, row.until_at) == ()
    with pytest.raises(RaceLost):
        register.withdraw(conn, row.subject_id, row.id, row.until_at)


def test_consents_are_listed_newest_first(conn: Connection, register: ConsentRegister) -> None:
    person = draw_id()
    rows = [build_consent(subject_id=person, given_at=NOW - days * DAY) for days in (3, 1, 2)]
    for row in rows:
        register.add_consent(conn, row)
    assert register.list_consents(conn, person, NOW) == (rows[1], rows[2], rows[0])


def test_a_consent_given_to_another_person_is_an_alarm(
    conn: Connection, register: ConsentRegister
) -> None:
    row, thief = build_consent(), draw_id()
    register.add_consent(conn, row)
    conn.execute(update(C).values(subject_id=thief))
    with pytest.raises(RowMismatch):
        register.list_consents(conn, thief, NOW)


def test_an_objection_is_answered_once(conn: Connection, register: ConsentRegister) -> None:
    row = build_objection()
    register.add_objection(conn, row)
    assert register.list_objections(conn, row.subject_id, NOW) == (row,)
    register.answer_objection(conn, row, "upheld", REPLY, NOW + DAY)
    [found] = register.list_objections(conn, row.subject_id, NOW)
    told = {"state": "upheld", "answered_at": NOW + DAY, "reply": REPLY}
    assert found == row.model_copy(update=told)
    with pytest.raises(RaceLost):
        register.answer_objection(conn, row, "rejected", REPLY, NOW + DAY)


def test_an_objection_that_is_taken_back_is_gone(
    conn: Connection, register: ConsentRegister
) -> None:
    row, other = build_objection(), build_objection()
    for one in (row, other):
        register.add_objection(conn, one)
    assert register.find_objection(conn, other.subject_id, row.id, NOW) is None
    assert register.find_objection(conn, row.subject_id, row.id, NOW) == row
    register.lift_objection(conn, row, NOW, keeps=False)
    assert register.list_objections(conn, row.subject_id, NOW, with_lifted=True) == ()
    assert register.list_objections(conn, other.subject_id, NOW) == (other,)
    with pytest.raises(RaceLost):
        register.lift_objection(conn, row, NOW, keeps=False)
    with pytest.raises(RaceLost):
        register.answer_objection(conn, row, "rejected", REPLY, NOW)


def test_an_objection_that_is_kept_counts_no_more_and_waits_for_nobody(
    conn: Connection, register: ConsentRegister
) -> None:
    row = build_objection()
    register.add_objection(conn, row)
    register.lift_objection(conn, row, NOW, keeps=True)
    assert register.list_objections(conn, row.subject_id, NOW) == ()
    (kept,) = register.list_objections(conn, row.subject_id, NOW, with_lifted=True)
    assert (kept.lifted_at, kept.state, kept.reply) == (NOW, "open", None)
    assert register.list_open_objections(conn, NOW, 9) == ()
    assert register.count_overdue_objections(conn, NOW + 100 * DAY) == 0
    register.lift_objection(conn, kept, NOW, keeps=False)
    assert register.list_objections(conn, row.subject_id, NOW, with_lifted=True) == ()


def test_what_waits_for_an_officer_is_listed_oldest_first(
    conn: Connection, register: ConsentRegister
) -> None:
    rows = [build_objection(made_at=NOW - days * DAY) for days in (1, 40, 20)]
    for row in rows:
        register.add_objection(conn, row)
    assert register.list_open_objections(conn, NOW, 2) == (rows[1], rows[2])
    assert register.count_overdue_objections(conn, NOW) == 1
    register.answer_objection(conn, rows[1], "rejected", REPLY, NOW)
    assert register.list_open_objections(conn, NOW, 9) == (rows[2], rows[0])
    assert register.count_overdue_objections(conn, NOW) == 0
    assert register.count_overdue_objections(conn, NOW + 12 * DAY) == 1


def test_an_objection_ends_and_is_the_persons_own(
    conn: Connection, register: ConsentRegister
) -> None:
    row = build_objection()
    register.add_objection(conn, row)
    assert register.list_objections(conn, draw_id(), NOW) == ()
    assert register.list_objections(conn, row.subject_id, row.until_at) == ()


def test_a_shield_is_set_moved_and_taken_away(conn: Connection, register: ConsentRegister) -> None:
    person = draw_id()
    assert register.find_shield(conn, person, NOW) is None
    for days, open_at in ((10, None), (20, NOW)):
        shield = build_shield(NOW + days * DAY, open_at=open_at)
        register.shield(conn, person, shield)
        assert register.find_shield(conn, person, NOW) == shield
    assert register.find_shield(conn, person, NOW + 20 * DAY) is None
    register.shield(conn, person, None)
    assert register.find_shield(conn, person, NOW) is None
