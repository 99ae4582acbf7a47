"""The broker and the database of a module, as the exchange's tests have them."""

from __future__ import annotations

from tests.broker_pages.conftest import pages as pages  # noqa: PLC0414 - a fixture is found by its name
from tests.broker_pages.conftest import visitor as visitor  # noqa: PLC0414 - as above
from tests.exchange.conftest import broker as broker  # noqa: PLC0414 - as above
from tests.exchange.conftest import copies as copies  # noqa: PLC0414 - as above
from tests.exchange.conftest import database as database  # noqa: PLC0414 - as above
