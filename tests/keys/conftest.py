"""The brokers of `tests/exchange`, for rotations under questions."""

from __future__ import annotations

from tests.exchange.conftest import broker, copies, database

__all__ = ["broker", "copies", "database"]
