"""Dates that somebody types, as days and as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from connectors.pages.staff import Staff
from datwat.web.dates import ZONE
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

_NOON = time(12)
_OLDEST = date(1900, 1, 1)


def read_date(
    form: Form, name: str, visit: Visit[Staff], *, is_optional: bool = False, is_past: bool = False
) -> date | None:
    """Return the day that was filled in, or None and note what is wrong with it."""
    typed = form.value(name).strip()
    if not typed and is_optional:
        return None
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        form.refuse(name, visit.say(mark("Fill in a date, with day, month and year.")))
        return None
    today = visit.now.astimezone(ZONE).date()
    if day < _OLDEST or (is_past and day > today):
        form.refuse(name, visit.say(mark("This date cannot be right.")))
        return None
    return day


def build_past(day: date, now: datetime) -> datetime:
    """Return a moment on a day of before: noon, and today a minute ago."""
    noon = datetime.combine(day, _NOON, ZONE).astimezone(UTC)
    return min(noon, (now - timedelta(minutes=1)).replace(microsecond=0))


def build_end(day: date) -> datetime:
    """Return the last moment of a day."""
    begins = datetime.combine(day + timedelta(days=1), time(), ZONE).astimezone(UTC)
    return begins - timedelta(seconds=1)
