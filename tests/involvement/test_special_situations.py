"""Special situations: never open by themselves on a safety ground, renewed a little at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from broker.exchange.registers import Registers
from broker.involvement.special_situations import (
    REFUSED_TERM,
    RenewalRefusedError,
    SpecialSituationRow,
    SpecialSituations,
    build_refused_situation,
    derive_number,
    derive_row_end,
    derive_state,
    require_renewal,
)
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import DAY, DECIDER, NOW, SPECIAL

ENDS = SPECIAL.until_at
moments = st.integers(-90, 90).map(lambda n: NOW + n * DAY)
openings: st.SearchStrategy[Literal["automatic", "by_person"]] = st.sampled_from(
    ["automatic", "by_person"]
)


@pytest.fixture
def situations(registers: Registers) -> SpecialSituations:
    return registers.special_situations


def build(
    until_at: datetime = ENDS,
    opening: Literal["automatic", "by_person"] = "by_person",
    opened_at: datetime | None = None,
) -> SpecialSituationRow:
    stated = SPECIAL.model_copy(update={"until_at": until_at, "opening": opening})
    return SpecialSituationRow(draw_id(), stated, NOW, opened_at)


@given(until_at=moments, opening=openings, opened_at=st.none() | moments, now=moments)
def test_only_a_person_opens_what_waits_for_a_person(
    until_at: datetime,
    opening: Literal["automatic", "by_person"],
    opened_at: datetime | None,
    now: datetime,
) -> None:
    state = derive_state(build(until_at, opening, opened_at), now)
    assert (state == "opened") == (opened_at is not None)
    assert (state == "due") == (opened_at is None and until_at <= now and opening == "automatic")
    assert (state == "overdue") == (
        opened_at is None and until_at <= now and opening == "by_person"
    )


@given(until_at=moments, asked=moments, now=moments, days=st.integers(0, 30))
def test_a_renewal_reaches_no_further_from_now_than_its_ground_allows(
    until_at: datetime, asked: datetime, now: datetime, days: int
) -> None:
    try:
        require_renewal(build(until_at), asked, now, days * DAY)
    except RenewalRefusedError:
        assert asked <= until_at or not timedelta(0) < asked - now <= days * DAY
    else:
        assert asked > until_at
        assert timedelta(0) < asked - now <= days * DAY


def test_what_was_opened_is_not_renewed() -> None:
    require_renewal(build(), ENDS + DAY, ENDS, DAY)
    with pytest.raises(RenewalRefusedError):
        require_renewal(build(opened_at=NOW), ENDS + DAY, ENDS, DAY)


def test_what_was_refused_waits_for_a_person_and_is_not_renewed() -> None:
    stated = SPECIAL.model_copy(update={"opening": "automatic", "until_at": NOW - DAY})
    row = build_refused_situation(stated, NOW)
    end = NOW + REFUSED_TERM
    assert [derive_state(row, at) for at in (NOW, end)] == ["refused", "overdue"]
    with pytest.raises(RenewalRefusedError):
        require_renewal(row, end + DAY, NOW, 30 * DAY)


@given(until_at=moments, opened_at=st.none() | moments)
def test_a_row_outlives_its_term(until_at: datetime, opened_at: datetime | None) -> None:
    assert derive_row_end(build(until_at, opened_at=opened_at)) > (opened_at or until_at)


def test_one_at_a_time(conn: Connection, situations: SpecialSituations) -> None:
    first = build()
    situations.declare(conn, first)
    second = SpecialSituationRow(first.occasion_id, SPECIAL, NOW + DAY)
    with pytest.raises(RaceLost):
        situations.declare(conn, second)
    situations.mark_opened(conn, first.occasion_id, DECIDER, NOW + DAY)
    situations.declare(conn, second)
    assert situations.find_situation(conn, first.occasion_id) == second


def test_what_is_not_opened_is_listed_earliest_first(
    conn: Connection, situations: SpecialSituations
) -> None:
    rows = [build(NOW + days * DAY) for days in (20, 5, 10, 1)]
    for row in rows:
        situations.declare(conn, row)
    situations.mark_opened(conn, rows[3].occasion_id, None, NOW)
    assert situations.list_unopened(conn, 10) == (rows[1], rows[2], rows[0])
    assert situations.list_unopened(conn, 1) == (rows[1],)


def test_what_waits_for_a_person_holds_up_nothing_that_opens_by_itself(
    conn: Connection, situations: SpecialSituations
) -> None:
    for _ in range(1_001):
        situations.declare(conn, build(NOW - 2 * DAY))
    due, early = build(NOW - DAY, "automatic"), build(NOW + DAY, "automatic")
    for row in (due, early):
        situations.declare(conn, row)
    assert situations.list_due(conn, NOW, 10) == [due.occasion_id]
    assert situations.count_unopened(conn, NOW) == (1_003, 1_001)
    situations.mark_opened(conn, due.occasion_id, None, NOW)
    assert situations.list_due(conn, NOW, 10) == []
    assert situations.count_unopened(conn, NOW + 2 * DAY) == (1_002, 1_001)


def test_each_is_found_by_its_number_and_listed_once_over_the_pages(
    conn: Connection, situations: SpecialSituations
) -> None:
    rows = [build(NOW + (count // 3) * DAY) for count in range(10)]
    for row in rows:
        situations.declare(conn, row)
    found: list[SpecialSituationRow] = []
    page = situations.list_unopened(conn, 4)
    while page:
        found += page
        page = situations.list_unopened(
            conn, 4, (page[-1].stated.until_at, derive_number(page[-1]))
        )
    assert found == sorted(rows, key=lambda row: (row.stated.until_at, derive_number(row)))
    for row in rows:
        assert situations.find_unopened(conn, derive_number(row)) == row
    situations.mark_opened(conn, rows[0].occasion_id, DECIDER, NOW)
    assert situations.find_unopened(conn, derive_number(rows[0])) is None


def test_what_is_stated_anew_to_wait_for_a_person_does_not_open_by_itself(
    conn: Connection, situations: SpecialSituations
) -> None:
    row = build(NOW - DAY, "automatic")
    situations.declare(conn, row)
    assert situations.list_due(conn, NOW, 10) == [row.occasion_id]
    by_person = row.stated.model_copy(update={"opening": "by_person"})
    situations.renew(conn, replace(row, stated=by_person))
    assert situations.list_due(conn, NOW, 10) == []
    assert situations.count_unopened(conn, NOW) == (1, 1)


def test_what_was_refused_is_kept_as_such(conn: Connection, situations: SpecialSituations) -> None:
    row = build_refused_situation(SPECIAL, NOW)
    situations.declare(conn, row)
    assert situations.find_unopened(conn, derive_number(row)) == row


def test_only_the_very_one_that_waits_is_renewed(
    conn: Connection, situations: SpecialSituations
) -> None:
    row = build()
    situations.declare(conn, row)
    later = row.stated.model_copy(update={"until_at": ENDS + 14 * DAY})
    renewed = replace(row, stated=later)
    with pytest.raises(RaceLost):
        situations.renew(conn, replace(renewed, id=draw_id()))
    situations.renew(conn, renewed)
    assert situations.find_situation(conn, row.occasion_id) == renewed
    situations.mark_opened(conn, row.occasion_id, DECIDER, NOW)
    with pytest.raises(RaceLost):
        situations.renew(conn, renewed)


def test_it_opens_once_and_says_by_whom(conn: Connection, situations: SpecialSituations) -> None:
    row = build()
    situations.declare(conn, row)
    situations.mark_opened(conn, row.occasion_id, DECIDER, NOW + DAY)
    found = situations.find_situation(conn, row.occasion_id)
    assert found is not None
    assert (found.opened_at, found.opened_by) == (NOW + DAY, DECIDER)
    with pytest.raises(RaceLost):
        situations.mark_opened(conn, row.occasion_id, DECIDER, NOW + 2 * DAY)
    with pytest.raises(RaceLost):
        situations.mark_opened(conn, draw_id(), DECIDER, NOW)
    with pytest.raises(RaceLost):
        situations.renew(conn, build())
