"""Special situations: never open by themselves on a safety ground, renewed a little at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from broker.exchange.registers import Registers
from broker.involvement.special_situations import (
    LONGEST_RENEWAL,
    RenewalRefusedError,
    SpecialSituationRow,
    SpecialSituations,
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


@given(until_at=moments, asked=moments, now=moments)
def test_a_renewal_gives_two_weeks_at_most(
    until_at: datetime, asked: datetime, now: datetime
) -> None:
    start = max(until_at, now)
    try:
        require_renewal(build(until_at), asked, now)
    except RenewalRefusedError:
        assert asked <= start or asked - start > LONGEST_RENEWAL
    else:
        assert timedelta(0) < asked - start <= LONGEST_RENEWAL


def test_what_was_opened_is_not_renewed() -> None:
    with pytest.raises(RenewalRefusedError):
        require_renewal(build(opened_at=NOW), ENDS + DAY, NOW)


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


def test_a_renewal_moves_the_end_only(conn: Connection, situations: SpecialSituations) -> None:
    row = build()
    situations.declare(conn, row)
    with pytest.raises(RenewalRefusedError):
        situations.renew(conn, row.occasion_id, ENDS + 15 * DAY, NOW)
    situations.renew(conn, row.occasion_id, ENDS + 14 * DAY, NOW)
    found = situations.find_situation(conn, row.occasion_id)
    assert found is not None
    assert found.stated == row.stated.model_copy(update={"until_at": ENDS + 14 * DAY})
    assert found.declared_at == NOW


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
        situations.renew(conn, draw_id(), ENDS + DAY, NOW)
