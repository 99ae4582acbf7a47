"""Terms: Dutch working days, when each duty is due, reminders at half and at the end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.consent.duties import BREACH_TERM, derive_due, derive_duty_number
from broker.consent.working_days import (
    HERE,
    derive_easter,
    derive_working_end,
    is_working_day,
    list_holidays,
)
from broker.exchange.answering_lists import (
    build_listed,
    count_listed,
    derive_days_left,
    derive_reminder,
    filter_listed,
    sort_listed,
)

NOW = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 1)).map(  # noqa: DTZ001 - made aware
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


# Of the tables of the Ecclesiastical calendar; 2038 is the latest there is, 2285 the earliest.
@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1961, date(1961, 4, 2)), (2000, date(2000, 4, 23)), (2008, date(2008, 3, 23)),
        (2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)), (2038, date(2038, 4, 25)), (2285, date(2285, 3, 22)),
    ],
)  # fmt: skip
def test_easter_is_where_the_tables_have_it(year: int, day: date) -> None:
    assert derive_easter(year) == day


def test_the_general_holidays_of_two_years() -> None:
    assert list_holidays(2026) == {
        date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 4, 27), date(2026, 5, 5),
        date(2026, 5, 14), date(2026, 5, 25), date(2026, 12, 25), date(2026, 12, 26),
    }  # fmt: skip
    assert date(2025, 4, 26) in list_holidays(2025)  # the 27th was a Sunday
    assert date(2025, 4, 27) not in list_holidays(2025)


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        ("2026-11-25T10:00", "2026-11-28T00:00"),  # Wednesday: Thursday and Friday
        ("2026-11-27T15:00", "2026-12-02T00:00"),  # Friday: Monday and Tuesday
        ("2026-11-28T15:00", "2026-12-02T00:00"),  # Saturday likewise
        ("2026-12-24T09:00", "2026-12-30T00:00"),  # both days of Christmas, then Sunday
        ("2026-04-02T16:00", "2026-04-09T00:00"),  # Good Friday to Easter Monday
        ("2026-12-31T23:30", "2027-01-06T00:00"),  # New Year, a weekend
    ],
)
def test_two_working_days_end_at_the_end_of_the_second(asked: str, ends: str) -> None:
    at = datetime.fromisoformat(asked).replace(tzinfo=HERE)
    assert derive_working_end(at, 2) == datetime.fromisoformat(ends).replace(tzinfo=HERE)


@given(MOMENTS, st.integers(1, 6))
def test_a_term_of_working_days_has_that_many_of_them(at: datetime, days: int) -> None:
    last = (derive_working_end(at, days) - timedelta(seconds=1)).astimezone(HERE).date()
    first = at.astimezone(HERE).date()
    between = [first + timedelta(days=number + 1) for number in range((last - first).days)]
    assert sum(map(is_working_day, between)) == days
    assert is_working_day(last)


@given(MOMENTS)
def test_each_duty_is_due_after_it_begins_and_never_later_than_its_law_says(at: datetime) -> None:
    month = timedelta(days=31)
    assert derive_due("wrong_person", at) == at + BREACH_TERM
    assert timedelta(days=1) < derive_due("urgent", at) - at <= timedelta(days=9)
    for kind in ("dispute", "desk", "tell"):
        assert timedelta(days=27) < derive_due(kind, at) - at <= month


def test_who_said_when_they_would_tell_is_held_to_that_and_never_beyond_a_month() -> None:
    soon, late, past = NOW + timedelta(days=3), NOW + timedelta(days=90), NOW - timedelta(days=1)
    assert derive_due("tell", NOW, soon) == soon
    assert derive_due("tell", NOW, late) == derive_due("tell", NOW)
    assert derive_due("tell", NOW, past) == NOW


@given(st.integers(60, 5_000_000), st.integers(-100, 6_000_000))
def test_a_reminder_comes_at_half_and_on_the_last_day_and_is_never_taken_back(
    seconds: int, later: int
) -> None:
    due = NOW + timedelta(seconds=seconds)
    order = ["none", "half", "end"]
    now = NOW + timedelta(seconds=later)
    found = derive_reminder(NOW, due, now)
    after = derive_reminder(NOW, due, now + timedelta(seconds=1))
    assert order.index(after) >= order.index(found)
    assert (found == "none") == (later * 2 < seconds)
    assert now < due or found == "end"


def test_days_left_count_whole_days_and_what_is_over_has_none() -> None:
    assert derive_days_left(NOW + timedelta(days=2, hours=5), NOW) == 2
    assert derive_days_left(NOW + timedelta(hours=5), NOW) == 0
    assert derive_days_left(NOW - timedelta(hours=5), NOW) == -1


def test_what_is_overdue_stands_first_and_is_counted_once() -> None:
    def make(number: str, days: int) -> object:
        due = NOW + timedelta(days=days)
        return build_listed("desk", number, NOW - timedelta(days=10), due, NOW)

    found = sort_listed(make(f"{days}", days) for days in (40, 9, -1, -5, 0))  # type: ignore[misc]
    assert [one.number for one in found] == ["-5", "-1", "0", "9", "40"]
    assert [one.overdue for one in found] == [True, True, True, False, False]
    counts = count_listed(found)
    assert (counts.waiting, counts.overdue, counts.half, counts.end) == (5, 3, 1, 0)
    assert [one.number for one in filter_listed(found, overdue=True)] == ["-5", "-1", "0"]


def test_a_number_of_a_duty_tells_nothing_of_its_id() -> None:
    assert derive_duty_number(b"\x00" * 16) != derive_duty_number(b"\x00" * 15 + b"\x01")
    assert len(derive_duty_number(b"\x07" * 16)) == 12
