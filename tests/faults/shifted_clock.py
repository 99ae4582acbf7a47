"""Starts a party whose clock is so many seconds ahead (`CLOCK_SHIFT`, which may be negative).

For tests only: `CLOCK_SHIFT=20 python -m tests.faults.shifted_clock broker serve --home …`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from datwat.party import clock


def shift(seconds: float) -> None:
    """Shift the clock; before anything is imported that takes it."""
    ahead = timedelta(seconds=seconds)
    clock.now = lambda: datetime.now(UTC) + ahead


if __name__ == "__main__":
    shift(float(os.environ["CLOCK_SHIFT"]))

    from tests.faults.quick_refresh import refresh_every_second  # after the clock

    refresh_every_second()

    from datwat.cli import main

    main()
