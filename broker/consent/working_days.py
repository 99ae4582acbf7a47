"""Dutch working days: until when a term of some days lasts. Pure.

Rule: a term in days ends at the end of a day, in the country's own time; Saturday, Sunday and the
days that the law names as general holidays are none. Source: Algemene termijnenwet, articles 1 to 3
(New Year's Day, Good Friday, the Mondays after Easter and Whitsun, Ascension Day, the King's
birthday, 5 May, both days of Christmas); date of Easter: Meeus, Astronomical Algorithms (1991),
chapter 8.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

HERE: Final = ZoneInfo("Europe/Amsterdam")
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_FIXED: Final = ((1, 1), (5, 5), (12, 25), (12, 26))
# Counted from Easter Sunday: Good Friday, Easter Monday, Ascension Day, Whit Monday.
_MOVING: Final = (-2, 1, 39, 50)


def derive_easter(year: int) -> date:
    """Return Easter Sunday of a year of the Gregorian calendar."""
    century, in_century = divmod(year, 100)
    golden = year % 19
    skipped, leap = divmod(century, 4)
    moon = (19 * golden + century - skipped - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * leap + 2 * (in_century // 4) - moon - in_century % 4) % 7
    late = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


@lru_cache(16)
def list_holidays(year: int) -> frozenset[date]:
    """Return the general holidays of a year."""
    easter = derive_easter(year)
    king = date(year, 4, 27)
    if king.weekday() == _SUNDAY:
        king -= timedelta(days=1)
    fixed = (date(year, month, day) for month, day in _FIXED)
    return frozenset({*fixed, king, *(easter + timedelta(days=one) for one in _MOVING)})


def is_working_day(day: date) -> bool:
    """Tell whether a day counts in a term of working days."""
    return day.weekday() < _SATURDAY and day not in list_holidays(day.year)


def derive_working_end(at: datetime, days: int) -> datetime:
    """Return the end of the `days`-th working day after the day of `at`, as aware UTC.

    The moment itself is the first of the day that follows: until then the term is not over.
    """
    day = at.astimezone(HERE).date()
    left = days
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day)
    after = datetime.combine(day + timedelta(days=1), time(), HERE)
    return after.astimezone(UTC)
