"""Reads at once, in threads and within each other, do not end each other's transaction."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import DBAPIError, OperationalError

from broker.adapters.database import migrate, open_engine
from broker.adapters.log_tables import table_of
from broker.adapters.other_tables import DecisionRecord
from broker.here import Reads
from datwat.party.clock import now
from datwat.party.database_errors import DatabaseAwayError
from datwat.party.postgres import BoundedConnection
from tests.conftest import execute_on_server
from tests.postgres import own_server

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
        # The view of the one around it is still its own.
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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_read_after_one_whose_end_was_cancelled(
    engine: Engine, reads: Reads, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """As a server does it before it carries that out: the transaction has failed, and stays."""

    def cancel(raw: psycopg.Connection[object]) -> None:
        with suppress(psycopg.errors.DivisionByZero):
            raw.execute("SELECT 1 / 0")
        raise psycopg.errors.QueryCanceled

    def read() -> None:
        with reads.open() as conn:
            assert [row.number for row in conn.execute(_NUMBERS)] == [1]
            if end == "rollback":
                raise ZeroDivisionError

    write(engine, 1)
    with monkeypatch.context() as patch:
        patch.setattr(BoundedConnection, end, cancel)
        with pytest.raises((OperationalError, ZeroDivisionError)):
            read()
    assert list_numbers(reads) == [1]


@pytest.mark.postgres
def test_a_server_that_was_stopped_is_not_waited_for_and_is_used_again() -> None:
    with own_server() as server:
        engine = open_engine(server.url)
        migrate(engine)
        reads = Reads(engine)
        write(engine, 1)
        assert list_numbers(reads) == [1]
        server.stop()
        began = time.monotonic()
        with pytest.raises(DBAPIError):
            list_numbers(reads)
        for _ in range(50):
            with pytest.raises(DatabaseAwayError):
                list_numbers(reads)
        assert time.monotonic() - began < 1
        server.start()
        time.sleep(1)
        assert list_numbers(reads) == [1]
        # A connection that is cut costs no read at all.
        cut(server.url)
        assert list_numbers(reads) == [1]
        # Nor is a server waited for that says nothing: it takes a connection, and that is all.
        cut(server.url)
        with stopped(server.pid):
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(DatabaseAwayError):
                    list_numbers(reads)
                assert time.monotonic() - began < 1
        time.sleep(1)
        assert list_numbers(reads) == [1]
        reads.close()
        engine.dispose()


def cut(url: str) -> None:
    """End every connection to a server."""
    execute_on_server(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND usename = 'postgres'",
    )
    time.sleep(0.1)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process do nothing for the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
