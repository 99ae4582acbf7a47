"""Dates as people say them, in the time of the Netherlands. Pure.

Source of the names: CLDR, as Babel has it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import get_day_names, get_month_names

ZONE: Final = ZoneInfo("Europe/Amsterdam")
_MONTHS: Final = {code: get_month_names("wide", locale=code) for code in ("nl", "en")}
_DAYS: Final = {code: get_day_names("wide", locale=code) for code in ("nl", "en")}


def say_date(moment: date | datetime, code: str) -> str:
    """Return "25 november 2026"; of a moment, the day that it is in the Netherlands."""
    day = find_day(moment)
    return f"{day.day} {_MONTHS[code][day.month]} {day.year}"


def say_month(month: date, code: str) -> str:
    """Return "november 2026"."""
    return f"{_MONTHS[code][month.month]} {month.year}"


def say_day(moment: date | datetime, code: str) -> str:
    """Return "woensdag 25 november 2026"."""
    day = find_day(moment)
    return f"{_DAYS[code][day.weekday()]} {say_date(day, code)}"


def say_time(moment: datetime, code: str) -> str:
    """Return "19:30 uur"."""
    local = moment.astimezone(ZONE)
    return f"{local:%H:%M} uur" if code == "nl" else f"{local:%H:%M}"


def say_moment(moment: datetime, code: str) -> str:
    """Return "25 november 2026 om 19:30 uur"."""
    between = "om" if code == "nl" else "at"
    return f"{say_date(moment, code)} {between} {say_time(moment, code)}"


def say_period(start: date | datetime, end: date | datetime, code: str) -> str:
    """Return "3 tot en met 10 maart 2026", with of the first day only what differs."""
    first, last = find_day(start), find_day(end)
    if first == last:
        return say_date(first, code)
    until = "tot en met" if code == "nl" else "to"
    begin = str(first.day)
    if (first.year, first.month) != (last.year, last.month):
        begin += f" {_MONTHS[code][first.month]}"
        begin += f" {first.year}" if first.year != last.year else ""
    return f"{begin} {until} {say_date(last, code)}"


def find_day(moment: date | datetime) -> date:
    """Return a day as it is, and of a moment the day that it is in the Netherlands."""
    return moment.astimezone(ZONE).date() if isinstance(moment, datetime) else moment
