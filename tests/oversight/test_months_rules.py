"""When a month may be counted, and when it is given out. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from broker.transparency.figures import SETTLED, Month, MonthError
from broker.transparency.months import COUNTED_WITHIN, may_count


def test_a_month_may_be_counted_within_a_year_and_where_nothing_was_lost() -> None:
    month = Month(2026, 10)
    end = month.until_at
    assert may_count(month, end, None)
    assert may_count(month, end + COUNTED_WITHIN - timedelta(seconds=1), None)
    assert not may_count(month, end + COUNTED_WITHIN, None)
    assert may_count(month, end, month.from_at)
    assert not may_count(month, end, month.from_at + timedelta(seconds=1))
    assert not may_count(month, end, end)


def test_a_month_is_given_when_what_was_asked_at_its_end_is_written_down() -> None:
    month = Month(2026, 10)
    ready = month.until_at + SETTLED
    assert Month.parse("2026-10", ready) == month
    assert Month.before(ready) == month
    early = ready - timedelta(seconds=1)
    with pytest.raises(MonthError, match="not over yet"):
        Month.parse("2026-10", early)
    assert Month.before(early) == month.previous()
    for text in ("2026-1", "2026-10\n", "october", "2026-00", "1926-10", "٢٠٢٦-10"):
        with pytest.raises(MonthError, match="as year-month"):
            Month.parse(text, ready)
    assert replace(month, month=1).previous() == Month(2025, 12)
