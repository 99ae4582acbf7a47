"""Pointers: one per person, source and kind; over is absent; the same work for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, update

from broker.adapters.tables import InvolvementRecord, table_of
from broker.exchange.registers import Registers
from broker.involvement.involvements import (
    Involvement,
    Involvements,
    is_current,
    is_mere_reconfirmation,
)
from broker.pseudonyms.errors import RaceLost, RowMismatch
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Contact, Registration
from tests.adapters.registers import (
    CONTACT,
    DAY,
    NOW,
    SCHOOL,
    TEAM,
    at_once,
    build_involvement,
    build_shield,
    writing,
)

T = table_of(InvolvementRecord)
FUNCTIONS = {"youth-help"}
KINDS = {"youth_help"}
moments = st.integers(-50, 50).map(lambda n: NOW + n * DAY)


@pytest.fixture
def involvements(registers: Registers) -> Involvements:
    return registers.involvements


@given(expires_at=moments, ended_at=st.none() | moments, now=moments)
def test_current_is_neither_ended_nor_over(
    expires_at: datetime, ended_at: datetime | None, now: datetime
) -> None:
    row = build_involvement(expires_at=expires_at, ended_at=ended_at)
    assert is_current(row, now) == (ended_at is None and now < expires_at)


@given(shielded=st.booleans(), confidential=st.booleans(), phone=st.none() | st.just("0612"))
def test_a_new_phone_number_alone_is_a_mere_reconfirmation(
    shielded: bool, confidential: bool, phone: str | None
) -> None:
    stated = Registration(
        kind="youth_help",
        contact=Contact(role="Balie", phone=phone),
        since_at=NOW,
        shielded=shielded,
        confidential=confidential,
    )
    mere = is_mere_reconfirmation(build_involvement(), stated, confidential=confidential)
    assert mere == (not shielded and not confidential)


def test_what_is_added_is_found(conn: Connection, involvements: Involvements) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    assert involvements.find(conn, row.id, NOW) == row
    assert involvements.find_registered(conn, row.subject_id, row.source, row.kind, NOW) == row
    assert involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, NOW) == [row]
    assert involvements.list_current_of(conn, row.subject_id, row.source, NOW) == [row]
    assert involvements.list_current_of(conn, row.subject_id, TEAM, NOW) == []


def test_the_same_twice_gives_one(conn: Connection, involvements: Involvements) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    with pytest.raises(RaceLost):
        involvements.add(conn, replace(row, id=draw_id()))
    assert involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, NOW) == [row]


@pytest.mark.parametrize("change", [{"source": TEAM}, {"kind": "other"}, {"subject_id": b"2" * 16}])
def test_another_source_kind_or_person_is_another(
    conn: Connection, involvements: Involvements, change: dict[str, object]
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    involvements.add(conn, replace(row, id=draw_id(), **change))  # type: ignore[arg-type]


def test_eight_at_once_give_one(engine: Engine, involvements: Involvements) -> None:
    row = build_involvement()

    def register(barrier: threading.Barrier) -> str:
        """Live as the life of a registration does: look, write, and look again where it lost."""
        mine = replace(row, id=draw_id())
        waited = False
        while True:
            with engine.connect() as reader:
                known = involvements.find_registered(
                    reader, row.subject_id, row.source, row.kind, NOW
                )
            if not waited:
                assert known is None
                barrier.wait()
                waited = True
            try:
                with writing(engine) as writer:
                    if known is None:
                        involvements.add(writer, mine)
                        return "added"
                    involvements.reconfirm(
                        writer,
                        known.id,
                        CONTACT,
                        NOW + 400 * DAY,
                        NOW,
                        shielded=False,
                        confidential=False,
                    )
                    return "reconfirmed"
            except RaceLost:
                continue

    results = at_once(8, register)
    assert sorted(results) == ["added"] + ["reconfirmed"] * 7
    with engine.connect() as reader:
        found = involvements.pointers_of(reader, row.subject_id, FUNCTIONS, KINDS, NOW)
    assert [pointer.expires_at for pointer in found] == [NOW + 400 * DAY]


def test_a_pointer_past_its_term_is_never_shown(
    conn: Connection, involvements: Involvements
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    for moment, shown in ((row.expires_at - timedelta(seconds=1), 1), (row.expires_at, 0)):
        assert (
            len(involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, moment)) == shown
        )
        found = involvements.find_registered(conn, row.subject_id, row.source, row.kind, moment)
        assert found is not None
        assert is_current(found, moment) == bool(shown)


def test_what_is_registered_anew_is_found_before_what_lapsed(
    conn: Connection, involvements: Involvements
) -> None:
    """Cleaned up or not, by its term only: what its source ended is a thing of the past."""
    first = build_involvement()
    over = first.expires_at
    involvements.add(conn, first)
    this = (first.subject_id, first.source, first.kind)
    lapsed = involvements.find_registered(conn, *this, over)
    assert lapsed is not None
    assert (lapsed.id, is_current(lapsed, over)) == (first.id, False)
    involvements.end(conn, first.id, "expired", over)
    lapsed = involvements.find_registered(conn, *this, over)
    assert lapsed is not None
    assert lapsed.id == first.id
    anew = replace(first, id=draw_id(), registered_at=over, expires_at=over + 400 * DAY)
    involvements.add(conn, anew)
    found = involvements.find_registered(conn, *this, over)
    assert found is not None
    assert found.id == anew.id
    involvements.end(conn, anew.id, "ended", over)
    found = involvements.find_registered(conn, *this, over)
    assert found is not None
    assert found.id == first.id


def test_after_its_term_a_source_registers_anew(
    conn: Connection, involvements: Involvements
) -> None:
    old = build_involvement()
    involvements.add(conn, old)
    later = old.expires_at + DAY
    new = replace(old, id=draw_id(), registered_at=later, expires_at=later + 30 * DAY)
    involvements.add(conn, new)
    assert involvements.pointers_of(conn, old.subject_id, FUNCTIONS, KINDS, later) == [new]
    found = involvements.find(conn, old.id, later)
    assert found is not None
    assert (found.ended_at, found.end_reason) == (old.expires_at, "expired")


def test_an_ended_pointer_is_absent_and_makes_place(
    conn: Connection, involvements: Involvements
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    involvements.end(conn, row.id, "moved", NOW + DAY)
    assert involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, NOW + DAY) == []
    found = involvements.find(conn, row.id, NOW + DAY)
    assert found is not None
    assert (found.ended_at, found.end_reason) == (NOW + DAY, "moved")
    with pytest.raises(RaceLost):
        involvements.end(conn, row.id, "ended", NOW + 2 * DAY)
    with pytest.raises(RaceLost):
        reconfirm(involvements, conn, row)
    involvements.add(conn, replace(row, id=draw_id()))


def reconfirm(
    involvements: Involvements, conn: Connection, row: Involvement, *, shielded: bool = False
) -> None:
    involvements.reconfirm(
        conn,
        row.id,
        Contact(role="Balie"),
        NOW + 500 * DAY,
        NOW + DAY,
        shielded=shielded,
        confidential=True,
    )


def test_a_reconfirmation_writes_what_the_source_says_now(
    conn: Connection, involvements: Involvements
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    reconfirm(involvements, conn, row, shielded=True)
    assert involvements.find(conn, row.id, NOW) == replace(
        row,
        contact=Contact(role="Balie"),
        expires_at=NOW + 500 * DAY,
        reconfirmed_at=NOW + DAY,
        shielded=True,
        shielded_by_source=True,
        confidential=True,
    )
    with pytest.raises(RaceLost):
        reconfirm(involvements, conn, build_involvement())


def test_an_annulled_pointer_is_gone(conn: Connection, involvements: Involvements) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    involvements.annul(conn, row.id)
    assert involvements.find(conn, row.id, NOW) is None
    with pytest.raises(RaceLost):
        involvements.annul(conn, row.id)


def test_only_the_functions_and_kinds_of_the_purpose_are_found(
    conn: Connection, involvements: Involvements
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    team = replace(row, id=draw_id(), source=TEAM, function="social-team", kind="support")
    involvements.add(conn, team)
    person = row.subject_id
    both = involvements.pointers_of(
        conn, person, {"youth-help", "social-team"}, {"youth_help", "support"}, NOW
    )
    assert {pointer.id for pointer in both} == {row.id, team.id}
    assert involvements.pointers_of(conn, person, {"social-team"}, KINDS, NOW) == []
    assert involvements.pointers_of(conn, person, set(), set(), NOW) == []
    assert involvements.pointers_of(conn, draw_id(), FUNCTIONS, KINDS, NOW) == []


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_nobody_and_not_for_you_cost_one_and_the_same_statement(
    engine: Engine, involvements: Involvements
) -> None:
    row = build_involvement()
    with writing(engine) as writer:
        involvements.add(writer, row)
    with engine.connect() as reader, statements(engine) as seen:
        reader.begin()
        seen.clear()
        involvements.pointers_of(reader, row.subject_id, FUNCTIONS, KINDS, NOW)
        involvements.pointers_of(reader, row.subject_id, set(), set(), NOW)
        involvements.pointers_of(reader, draw_id(), FUNCTIONS, KINDS, NOW)
        involvements.pointers_of(reader, row.subject_id, FUNCTIONS, KINDS, NOW + 999 * DAY)
    assert len(seen) == 4
    assert len(set(seen)) == 1


def test_a_residents_own_shield_covers_every_pointer(
    conn: Connection, registers: Registers
) -> None:
    row = build_involvement()
    registers.involvements.add(conn, row)
    registers.consents.shield(conn, row.subject_id, build_shield(NOW + 10 * DAY))
    [found] = registers.involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, NOW)
    assert found.shielded
    assert not found.shielded_by_source
    later = NOW + 10 * DAY
    [found] = registers.involvements.pointers_of(conn, row.subject_id, FUNCTIONS, KINDS, later)
    assert not found.shielded


def test_a_death_marks_what_others_have(conn: Connection, involvements: Involvements) -> None:
    row = build_involvement()
    other = replace(row, id=draw_id(), source=SCHOOL)
    stranger = build_involvement()
    for pointer in (row, other, stranger):
        involvements.add(conn, pointer)
    assert involvements.mark_others(conn, row.subject_id, row.source, "died") == 1
    marks = [
        found.mark for p in (row, other, stranger) if (found := involvements.find(conn, p.id, NOW))
    ]
    assert marks == [None, "died", None]
    reconfirm(involvements, conn, other)
    found = involvements.find(conn, other.id, NOW)
    assert found is not None
    assert found.mark is None


def test_what_expired_is_listed_until_it_is_ended(
    conn: Connection, involvements: Involvements
) -> None:
    rows = [build_involvement(expires_at=NOW + days * DAY) for days in (3, 1, 2, 9)]
    for row in rows:
        involvements.add(conn, row)
    due = involvements.list_expired(conn, NOW + 3 * DAY, 10)
    assert due == [rows[1].id, rows[2].id, rows[0].id]
    assert len(involvements.list_expired(conn, NOW + 3 * DAY, 2)) == 2
    involvements.end(conn, rows[1].id, "expired", NOW + 3 * DAY)
    due = involvements.list_expired(conn, NOW + 3 * DAY, 10)
    assert due == [rows[2].id, rows[0].id]


def test_what_is_confidential_stays_so_when_it_is_reconfirmed(
    conn: Connection, involvements: Involvements
) -> None:
    row = build_involvement()
    involvements.add(conn, row)
    for confidential in (False, True, False):
        involvements.reconfirm(
            conn,
            row.id,
            row.contact,
            row.expires_at,
            NOW,
            shielded=False,
            confidential=confidential,
        )
    found = involvements.find(conn, row.id, NOW)
    assert found is not None
    assert found.confidential


def test_a_pointer_moved_to_another_person_is_an_alarm(
    conn: Connection, involvements: Involvements
) -> None:
    row, victim = build_involvement(), draw_id()
    involvements.add(conn, row)
    conn.execute(update(T).where(T.c.id == row.id).values(subject_id=victim))
    with pytest.raises(RowMismatch):
        involvements.pointers_of(conn, victim, FUNCTIONS, KINDS, NOW)
