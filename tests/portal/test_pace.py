"""Nobody's reading takes the portal's rate at the broker from everybody else."""

from __future__ import annotations

import time

import pytest

from connectors.portal.errors import TooFastError
from connectors.portal.pace import BURST, PER_SECOND, Pace
from connectors.portal.pages.paper.gathering import MOST_CARDS

ONE, OTHER = b"1" * 16, b"2" * 16


async def test_a_whole_log_is_read_at_once() -> None:
    pace, began = Pace(), time.monotonic()
    for _ in range(MOST_CARDS // 100):
        await pace.take(ONE)
    assert time.monotonic() - began < 1


async def test_who_reads_more_waits_and_nobody_else_does() -> None:
    pace = Pace(per_second=20, burst=2)
    began = time.monotonic()
    for _ in range(4):
        await pace.take(ONE)
    taken = time.monotonic() - began
    assert taken > 0.09
    began = time.monotonic()
    await pace.take(OTHER)
    assert time.monotonic() - began < 0.04


async def test_who_reads_far_more_is_asked_to_come_back() -> None:
    pace = Pace(per_second=0.1, burst=1)
    await pace.take(ONE)
    with pytest.raises(TooFastError):
        await pace.take(ONE)
    await pace.take(OTHER)


def test_one_person_has_a_part_of_what_the_broker_takes_of_a_portal() -> None:
    """`rate_per_second` and `rate_burst` of `broker/settings.py`."""
    from broker.settings import BrokerSettings  # noqa: PLC0415 - of another party

    fields = BrokerSettings.model_fields
    assert fields["rate_per_second"].default >= PER_SECOND * 5
    assert fields["rate_burst"].default >= BURST * 3
