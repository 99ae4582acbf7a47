"""References: per partner, per thing, ending with it; introduction codes work once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, update

from broker.adapters.tables import ReferenceRecord, table_of
from broker.exchange.registers import Registers
from broker.involvement.introductions import derive_introduction_end
from broker.pseudonyms.errors import RaceLost, ReferenceMismatch
from broker.pseudonyms.reference_rows import Introduction, Kind
from broker.pseudonyms.references import (
    SESSION_IDLE,
    SESSION_LONGEST,
    References,
    derive_handle_end,
    derive_session_end,
)
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import DAY, NOW, SCHOOL, TEAM, YOUTH, at_once, writing

T = table_of(ReferenceRecord)
THING = b"\x11" * 16
END = NOW + DAY
kinds: st.SearchStrategy[Kind] = st.sampled_from(
    ["handle", "involvement", "occasion", "contact_request"]
)


@pytest.fixture
def references(registers: Registers) -> References:
    return registers.references


def give(
    references: References, conn: Connection, partner: str, kind: Kind, target: bytes
) -> bytes:
    known = references.find_reference(conn, partner, kind, target, NOW)
    if known is not None:
        return known
    reference = references.draw()
    references.add_reference(conn, partner, kind, target, reference, until_at=END, now=NOW)
    return reference


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    asked=st.lists(
        st.tuples(st.sampled_from([TEAM, SCHOOL, YOUTH]), kinds, st.sampled_from(b"\x01\x02\x03")),
        min_size=2,
        max_size=30,
    )
)
def test_nothing_that_two_partners_see_is_equal(
    conn: Connection, references: References, asked: list[tuple[str, Kind, int]]
) -> None:
    with conn.begin_nested() as trial:
        given_out: dict[tuple[str, Kind, int], bytes] = {}
        for partner, kind, number in asked:
            reference = give(references, conn, partner, kind, bytes([number]) * 16)
            assert given_out.setdefault((partner, kind, number), reference) == reference
        assert len(set(given_out.values())) == len(given_out)
        for (owner, kind, number), reference in given_out.items():
            for partner in (TEAM, SCHOOL, YOUTH):
                found = references.find_target(conn, partner, kind, reference, NOW)
                assert (found is not None) == (partner == owner)
                assert found is None or found.target == bytes([number]) * 16
        trial.rollback()


def test_a_reference_means_something_as_its_own_kind_only(
    conn: Connection, references: References
) -> None:
    reference = give(references, conn, TEAM, "involvement", THING)
    assert references.find_target(conn, TEAM, "occasion", reference, NOW) is None
    assert references.find_handle(conn, TEAM, reference, NOW) is None
    assert references.find_target(conn, TEAM, "involvement", reference, NOW) is not None


def test_what_was_drawn_elsewhere_is_absent(conn: Connection, references: References) -> None:
    give(references, conn, TEAM, "handle", THING)
    assert references.find_handle(conn, TEAM, draw_id(), NOW) is None
    assert references.find_reference(conn, SCHOOL, "handle", THING, NOW) is None


def test_a_second_reference_to_the_same_thing_loses(
    conn: Connection, references: References
) -> None:
    first = give(references, conn, TEAM, "handle", THING)
    with pytest.raises(RaceLost):
        references.add_reference(conn, TEAM, "handle", THING, draw_id(), until_at=END, now=NOW)
    assert references.find_reference(conn, TEAM, "handle", THING, NOW) == first


def test_an_expired_reference_is_absent_and_makes_place(
    conn: Connection, references: References
) -> None:
    old = give(references, conn, TEAM, "handle", THING)
    assert references.find_handle(conn, TEAM, old, END - timedelta(seconds=1)) is not None
    assert references.find_handle(conn, TEAM, old, END) is None
    assert references.find_reference(conn, TEAM, "handle", THING, END) is None
    new = draw_id()
    references.add_reference(conn, TEAM, "handle", THING, new, until_at=END + DAY, now=END)
    assert references.find_reference(conn, TEAM, "handle", THING, END) == new
    assert references.find_handle(conn, TEAM, old, END) is None


def test_references_end_with_their_target_at_every_partner(
    conn: Connection, references: References
) -> None:
    given_out = {p: give(references, conn, p, "involvement", THING) for p in (TEAM, SCHOOL)}
    other = give(references, conn, TEAM, "involvement", b"\x22" * 16)
    references.end_target(conn, THING)
    for partner, reference in given_out.items():
        assert references.find_target(conn, partner, "involvement", reference, NOW) is None
    assert references.find_target(conn, TEAM, "involvement", other, NOW) is not None


def test_touching_moves_the_end_and_keeps_what_was_shown(
    conn: Connection, references: References
) -> None:
    reference = draw_id()
    references.add_reference(
        conn, TEAM, "involvement", THING, reference, until_at=END, now=NOW, shown_rung="category"
    )
    later = NOW + timedelta(hours=1)
    references.touch(conn, TEAM, "involvement", THING, until_at=END + DAY, now=later)
    found = references.find_target(conn, TEAM, "involvement", reference, later)
    assert found is not None
    assert (found.until_at, found.shown_at, found.shown_rung) == (END + DAY, NOW, "category")
    references.touch(
        conn, TEAM, "involvement", THING, until_at=END + DAY, now=later, shown_rung="dat"
    )
    found = references.find_target(conn, TEAM, "involvement", reference, later)
    assert found is not None
    assert (found.given_at, found.shown_at, found.shown_rung) == (NOW, later, "dat")


def test_what_ended_cannot_be_touched(conn: Connection, references: References) -> None:
    give(references, conn, TEAM, "handle", THING)
    with pytest.raises(RaceLost):
        references.touch(conn, TEAM, "handle", THING, until_at=END + DAY, now=END)
    with pytest.raises(RaceLost):
        references.touch(conn, SCHOOL, "handle", THING, until_at=END + DAY, now=NOW)


def test_each_session_has_a_handle_of_its_own(conn: Connection, references: References) -> None:
    end = derive_session_end(NOW, NOW)
    first, second = draw_id(), draw_id()
    for handle in (first, second):
        references.add_reference(conn, TEAM, "session", THING, handle, until_at=end, now=NOW)
    assert references.find_reference(conn, TEAM, "session", THING, NOW) is None
    references.end_reference(conn, TEAM, first)
    assert references.find_handle(conn, TEAM, first, NOW) is None
    found = references.find_handle(conn, TEAM, second, NOW)
    assert found is not None
    assert (found.kind, found.target) == ("session", THING)


def test_a_session_lasts_while_it_is_used_and_an_hour_at_most(
    conn: Connection, references: References
) -> None:
    handle = draw_id()
    end = derive_session_end(NOW, NOW)
    references.add_reference(conn, TEAM, "represented", THING, handle, until_at=end, now=NOW)
    for minutes in range(10, 60, 10):
        moment = NOW + timedelta(minutes=minutes)
        references.touch_session(conn, TEAM, handle, moment)
    assert references.find_handle(conn, TEAM, handle, NOW + timedelta(minutes=59)) is not None
    with pytest.raises(RaceLost):
        references.touch_session(conn, TEAM, handle, NOW + timedelta(minutes=60))


def test_an_unused_session_is_over_after_fifteen_minutes(
    conn: Connection, references: References
) -> None:
    handle = draw_id()
    end = derive_session_end(NOW, NOW)
    references.add_reference(conn, TEAM, "session", THING, handle, until_at=end, now=NOW)
    assert references.find_handle(conn, TEAM, handle, NOW + timedelta(minutes=15)) is None


@given(
    given_ago=st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=3)),
)
def test_a_sessions_end_is_bounded_twice(given_ago: timedelta) -> None:
    end = derive_session_end(NOW - given_ago, NOW)
    assert end <= NOW + SESSION_IDLE
    assert end - (NOW - given_ago) <= SESSION_LONGEST
    assert end in {NOW + SESSION_IDLE, NOW - given_ago + SESSION_LONGEST}


def test_a_handle_lasts_a_year_after_its_last_use() -> None:
    assert derive_handle_end(NOW) == NOW + 365 * DAY


@pytest.mark.parametrize(
    ("column", "value"),
    [("target", b"\x33" * 16), ("kind", "occasion"), ("partner", SCHOOL), ("sealed", b"\0" * 44)],
)
def test_a_changed_row_is_an_alarm(
    conn: Connection, references: References, column: str, value: bytes | str
) -> None:
    reference = give(references, conn, TEAM, "handle", THING)
    conn.execute(update(T).values({column: value}))
    with pytest.raises(ReferenceMismatch):
        references.find_handle(conn, TEAM, reference, NOW)


def introduce(references: References, conn: Connection) -> bytes:
    code = references.draw()
    introduction = Introduction(
        subject_id=THING,
        introduced_by=TEAM,
        audience="own",
        occasion_id=b"\x44" * 16,
        until_at=derive_introduction_end(NOW),
    )
    references.add_introduction(conn, SCHOOL, code, introduction)
    return code


def test_a_code_is_found_by_the_partner_named_in_it_for_a_week(
    conn: Connection, references: References
) -> None:
    code = introduce(references, conn)
    found = references.find_introduction(conn, SCHOOL, code, NOW)
    assert found is not None
    assert (found.subject_id, found.introduced_by, found.audience) == (THING, TEAM, "own")
    assert found.redeemed_at is None
    assert references.find_introduction(conn, TEAM, code, NOW) is None
    assert references.find_introduction(conn, YOUTH, code, NOW) is None
    assert references.find_introduction(conn, SCHOOL, code, NOW + 7 * DAY) is None


def test_a_code_works_once(conn: Connection, references: References) -> None:
    code = introduce(references, conn)
    with pytest.raises(RaceLost):
        references.redeem_introduction(conn, YOUTH, code, draw_id(), NOW)
    references.redeem_introduction(conn, SCHOOL, code, draw_id(), NOW + DAY)
    found = references.find_introduction(conn, SCHOOL, code, NOW + DAY)
    assert found is not None
    assert found.redeemed_at == NOW + DAY
    with pytest.raises(RaceLost):
        references.redeem_introduction(conn, SCHOOL, code, draw_id(), NOW + 2 * DAY)


def test_a_code_past_its_week_never_redeems(conn: Connection, references: References) -> None:
    code = introduce(references, conn)
    with pytest.raises(RaceLost):
        references.redeem_introduction(conn, SCHOOL, code, draw_id(), NOW + 7 * DAY)


def test_of_eight_that_redeem_at_once_one_does(engine: Engine, references: References) -> None:
    with writing(engine) as writer:
        code = introduce(references, writer)

    def redeem(barrier: threading.Barrier) -> bool:
        barrier.wait()
        try:
            with writing(engine) as writer:
                references.redeem_introduction(writer, SCHOOL, code, draw_id(), NOW)
        except RaceLost:
            return False
        return True

    assert sum(at_once(8, redeem)) == 1
