"""Dates as people say them, by the clock of the Netherlands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from datwat.web.dates import say_date, say_day, say_moment, say_month, say_period


def test_a_moment_is_that_of_the_netherlands_in_winter_and_summer() -> None:
    winter = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert say_moment(winter, "nl") == "25 november 2026 om 00:30 uur"
    assert say_moment(winter, "en") == "25 November 2026 at 00:30"
    assert say_date(datetime(2026, 6, 30, 22, 0, tzinfo=UTC), "nl") == "1 juli 2026"
    assert say_day(date(2026, 11, 25), "nl") == "woensdag 25 november 2026"
    assert say_month(date(2026, 10, 1), "nl") == "oktober 2026"
    assert say_month(date(2026, 10, 1), "en") == "October 2026"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (date(2026, 3, 3), date(2026, 3, 10), "3 tot en met 10 maart 2026"),
        (date(2026, 3, 3), date(2026, 4, 3), "3 maart tot en met 3 april 2026"),
        (date(2025, 12, 31), date(2026, 1, 1), "31 december 2025 tot en met 1 januari 2026"),
        (date(2025, 3, 3), date(2026, 3, 10), "3 maart 2025 tot en met 10 maart 2026"),
        (date(2026, 3, 3), date(2026, 3, 3), "3 maart 2026"),
    ],
)
def test_a_period_says_of_its_first_day_what_differs(start: date, end: date, said: str) -> None:
    assert say_period(start, end, "nl") == said
