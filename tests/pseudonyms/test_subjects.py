"""Data subjects are found by their pseudonym alone, and a swapped row is an alarm."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, Engine, select, update

from broker.adapters.stores import build_registers
from broker.adapters.tables import PseudonymRecord, table_of
from broker.exchange.registers import Registers
from broker.pseudonyms.errors import EpochLeftError, RaceLost, SubjectMismatch
from broker.pseudonyms.subjects import KEPT_FOR, draw_id
from tests.adapters.registers import DAY, NOW, ROW_KEY, at_once, writing

T = table_of(PseudonymRecord)
P1, P2 = b"\x01" * 32, b"\x02" * 32


def test_a_pseudonym_leads_to_its_subject_only(conn: Connection, registers: Registers) -> None:
    subjects = registers.subjects
    first, second = draw_id(), draw_id()
    subjects.add_subject(conn, first, P1, 1, NOW)
    subjects.add_subject(conn, second, P2, 1, NOW)
    assert subjects.find_subject(conn, P1, 1).subject_id == first
    assert subjects.find_subject(conn, P2, 1).subject_id == second
    assert subjects.find_subject(conn, b"\x03" * 32, 1).subject_id is None


def test_another_row_key_finds_nothing(conn: Connection, registers: Registers) -> None:
    registers.subjects.add_subject(conn, draw_id(), P1, 1, NOW)
    stranger = build_registers(ROW_KEY[::-1])
    assert stranger.subjects.find_subject(conn, P1, 1).subject_id is None


def test_the_second_to_mint_a_person_loses(conn: Connection, registers: Registers) -> None:
    registers.subjects.add_subject(conn, draw_id(), P1, 1, NOW)
    with pytest.raises(RaceLost):
        registers.subjects.add_subject(conn, draw_id(), P1, 1, NOW)


def test_a_subject_has_one_pseudonym(conn: Connection, registers: Registers) -> None:
    subject = draw_id()
    registers.subjects.add_subject(conn, subject, P1, 1, NOW)
    with pytest.raises(RaceLost):
        registers.subjects.add_subject(conn, subject, P2, 1, NOW)


def test_eight_at_once_mint_one_person(engine: Engine, registers: Registers) -> None:
    subjects = registers.subjects

    def mint(barrier: threading.Barrier) -> tuple[bool, bytes]:
        with engine.connect() as reader:
            assert subjects.find_subject(reader, P1, 1).subject_id is None
        barrier.wait()
        won, subject = True, draw_id()
        try:
            with writing(engine) as writer:
                subjects.add_subject(writer, subject, P1, 1, NOW)
        except RaceLost:
            won = False
        with engine.connect() as reader:
            found = subjects.find_subject(reader, P1, 1).subject_id
        assert found is not None
        assert not won or found == subject
        return won, found

    results = at_once(8, mint)
    assert sum(won for won, _ in results) == 1
    assert len({found for _, found in results}) == 1


@pytest.mark.parametrize("column", ["sealed", "subject_id", "lookup"])
def test_swapped_rows_are_an_alarm(conn: Connection, registers: Registers, column: str) -> None:
    subjects = registers.subjects
    subjects.add_subject(conn, draw_id(), P1, 1, NOW)
    subjects.add_subject(conn, draw_id(), P2, 1, NOW)
    lookups = subjects.derive_index(P1), subjects.derive_index(P2)
    old, new = (
        conn.execute(select(T.c[column]).where(T.c.lookup == lookup)).scalar_one()
        for lookup in lookups
    )
    # By way of a third value, as the columns are unique.
    for present, wanted in ((old, b"\xff"), (new, old), (b"\xff", new)):
        swap = update(T).where(T.c[column] == present).values({column: wanted})
        assert conn.execute(swap).rowcount == 1
    for pseudonym in (P1, P2):
        with pytest.raises(SubjectMismatch):
            subjects.find_subject(conn, pseudonym, 1)


def test_a_row_of_another_epoch_is_an_alarm(conn: Connection, registers: Registers) -> None:
    registers.subjects.add_subject(conn, draw_id(), P1, 1, NOW)
    conn.execute(update(T).values(epoch=2))
    with pytest.raises(SubjectMismatch):
        registers.subjects.find_subject(conn, P1, 1)


def test_a_ticket_of_another_epoch_finds_and_mints_nobody(
    conn: Connection, registers: Registers
) -> None:
    registers.subjects.add_subject(conn, draw_id(), P1, 1, NOW)
    with pytest.raises(EpochLeftError):
        registers.subjects.find_subject(conn, P1, 2)
    with pytest.raises(RaceLost):
        registers.subjects.add_subject(conn, draw_id(), P2, 2, NOW)


def test_the_end_of_a_subject_only_moves_on(conn: Connection, registers: Registers) -> None:
    subject = draw_id()
    registers.subjects.add_subject(conn, subject, P1, 1, NOW)
    registers.subjects.touch(conn, subject, NOW - DAY)
    assert conn.execute(select(T.c.until_at)).scalar() == NOW + KEPT_FOR
    registers.subjects.touch(conn, subject, NOW + DAY)
    assert conn.execute(select(T.c.until_at)).scalar() == NOW + DAY + KEPT_FOR
