"""Reads at once, in threads and within each other, do not end each other's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, insert, select

from broker.adapters.log_tables import table_of
from broker.adapters.other_tables import DecisionRecord
from broker.here import Reads
from datwat.party.clock import now

_T = table_of(DecisionRecord)
_NUMBERS = select(_T.c.number).order_by(_T.c.number)


@pytest.fixture
def reads(engine: Engine) -> Iterator[Reads]:
    made = Reads(engine)
    yield made
    made.close()


def write(engine: Engine, number: int) -> None:
    with engine.begin() as conn:
        conn.execute(
            insert(_T).values(number=number, chained=bytes(32), sealed=b"", until_at=now())
        )


def list_numbers(reads: Reads) -> list[int]:
    with reads.open() as conn:
        return [row.number for row in conn.execute(_NUMBERS)]


def test_one_within_another(engine: Engine, reads: Reads) -> None:
    write(engine, 1)
    with reads.open() as conn:
        assert [row.number for row in conn.execute(_NUMBERS)] == [1]
        write(engine, 2)
        assert list_numbers(reads) == [1, 2]
        if engine.dialect.name == "sqlite":  # the view of the one around it is still its own
            assert [row.number for row in conn.execute(_NUMBERS)] == [1]
    assert list_numbers(reads) == [1, 2]


def test_many_in_threads_while_the_loop_reads(engine: Engine, reads: Reads) -> None:
    write(engine, 1)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(list_numbers, reads) for _ in range(200)]
        for _ in range(200):
            assert list_numbers(reads) == [1]
        assert all(one.result() == [1] for one in asked)
    # And after one that failed.
    with pytest.raises(ZeroDivisionError), reads.open():
        raise ZeroDivisionError
    assert list_numbers(reads) == [1]
