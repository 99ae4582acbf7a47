"""The real broker of a module, as the exchange's tests have it."""

from __future__ import annotations

from tests.exchange.conftest import broker as broker  # noqa: PLC0414 - a fixture, by its name
from tests.exchange.conftest import database as database  # noqa: PLC0414 - as above
