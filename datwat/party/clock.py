"""The one place where a process reads the time; everything below takes it as a parameter.

How far clocks may differ and how long things live are constants of `datwat.protocol`.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)
