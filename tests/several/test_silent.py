"""A server that takes what it is sent and says nothing more: whoever waits for it hears in time.

No kernel ends such a connection: each byte is acknowledged. So it is with a pooler or a disk that
hangs, and with a commit that waits for a standby which is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, bindparam, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from broker import here
from broker.adapters import log_store
from broker.adapters.database import migrate, open_engine
from broker.adapters.sharing_store import SharingSession
from broker.adapters.sharing_tables import SharedChange
from broker.adapters.tables import table_of
from broker.audit.log import Log
from broker.audit.records import Job, LogError, Statement
from broker.here import Reads
from datwat.party.database_errors import DatabaseAwayError, find_away
from datwat.party.postgres import PATIENCE, lift_limits
from datwat.party.ratchet import Mark, RatchetError
from datwat.party.ratchet_server import ServerRatchet
from tests.audit.conftest import AT, LogWorld
from tests.conftest import execute_on_server, open_database
from tests.postgres import OwnServer, own_server
from tests.several.proxy import Proxy
from tests.several.world import await_true

pytestmark = pytest.mark.postgres
_PATIENCE = 1.5  # in which a busy machine answers
_C = table_of(SharedChange).c
_NUMBER = select(_C.number).where(_C.name == bindparam("b_name"))
# On a busy machine; without a bound it is for ever.
_WITHIN = 8.0


@pytest.fixture
def proxy(ratchet_server: OwnServer) -> Iterator[Proxy]:
    """Stand before a server of this machine, which the one that all tests share need not be."""
    with Proxy(ratchet_server.port) as made:
        yield made


@pytest.fixture
def engine(proxy: Proxy, ratchet_server: OwnServer) -> Iterator[Engine]:
    with open_database(ratchet_server.url) as url:
        opened = open_engine(proxy.through(url))
        migrate(opened)
        yield opened
        opened.dispose()


def ask(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def look(reads: Reads) -> None:
    """Run a statement by the driver itself, as nearly all reads are run."""
    with reads.open() as connection:
        connection.execute(_NUMBER, {"b_name": "policy"})


def measure(error: type[BaseException] | tuple[type[BaseException], ...], engine: Engine) -> float:
    began = time.monotonic()
    with pytest.raises(error) as caught:
        ask(engine)
    assert find_away(caught.value) is not None  # a caller hears 503
    return time.monotonic() - began


def test_who_waits_for_it_hears_in_time_and_goes_on_with_it_later(
    engine: Engine, proxy: Proxy
) -> None:
    patient = engine.execution_options(**{PATIENCE: _PATIENCE})
    with patient.connect() as one, patient.connect() as other:
        one.execute(text("SELECT 1"))
        other.execute(text("SELECT 1"))  # both lie in the pool from here on
    proxy.hang()
    opened = proxy.opened
    assert measure(OperationalError, patient) < _WITHIN
    # The second one is not tried, but replaced: it would be as silent.
    with pytest.raises(OperationalError):
        ask(patient)
    assert proxy.opened > opened
    proxy.flow()
    ask(patient)


def test_what_may_take_long_is_waited_for(engine: Engine) -> None:
    patient = engine.execution_options(**{PATIENCE: _PATIENCE})
    with patient.begin() as connection:
        lift_limits(connection)
        connection.execute(text("SELECT pg_sleep(3)"))
    with pytest.raises(OperationalError), patient.begin() as connection:  # and the next is not
        connection.execute(text("SELECT pg_sleep(3)"))


def test_the_loop_is_free_again(
    engine: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "_SILENT_SECONDS", _PATIENCE)
    reads = Reads(engine)
    look(reads)
    ask(engine)  # another one, which lies in the pool
    proxy.hang()
    with pytest.raises((SQLAlchemyError, psycopg.Error)):
        look(reads)
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(DatabaseAwayError), reads.open():
            pass
        assert time.monotonic() - began < 4.0  # less than a new connection is waited for
    proxy.flow()
    until = time.monotonic() + 60.0
    while True:
        try:
            look(reads)
            break
        except DatabaseAwayError:
            assert time.monotonic() < until
            time.sleep(0.1)
    reads.close()


def test_a_session_among_others_knows_that_it_knows_nothing(engine: Engine, proxy: Proxy) -> None:
    session = SharingSession(engine, 7)
    assert session.poll().keeps_house
    proxy.hang()
    began = time.monotonic()
    with pytest.raises(SQLAlchemyError):
        session.poll()
    assert time.monotonic() - began < _WITHIN
    proxy.flow()
    until = time.monotonic() + 60.0
    while session.poll().holders.housekeeper != 7:
        assert time.monotonic() < until
    session.close()


def test_a_ratchet_that_says_nothing_is_asked_again(
    proxy: Proxy, ratchet_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_database(ratchet_server.url) as url:
        ratchet = ServerRatchet.connect(proxy.through(url), "party")
        ratchet.advance("n", 1, bytes(32))
        proxy.hang()
        monkeypatch.setattr(ratchet, "_patience", 0.0)
        began = time.monotonic()
        with pytest.raises(RatchetError):
            ratchet.advance("n", 2, bytes(32))
        assert time.monotonic() - began < _WITHIN
        proxy.flow()
        monkeypatch.setattr(ratchet, "_patience", 20.0)
        ratchet.advance("n", 2, bytes(32))
        assert ratchet.value("n") == Mark(2, bytes(32))
        ratchet.close()


async def test_a_commit_that_waits_for_a_standby_which_is_gone(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused in time, whatever became of it; once the standby is let go of, all goes on."""
    del postgres_url  # absent where there are no server programs
    monkeypatch.setattr(log_store, "_SILENT_SECONDS", 2.0)
    with own_server() as server:
        engine = open_engine(server.url)
        migrate(engine)
        world = LogWorld(engine, tmp_path)
        log = world.start()
        first = await _state(log, b"first")
        execute_on_server(server.url, "ALTER SYSTEM SET synchronous_standby_names = 'gone'")
        execute_on_server(server.url, "SELECT pg_reload_conf()")
        async with asyncio.timeout(60):  # the server takes the setting up in its own time
            more, seconds = await _state_until_refused(log)
        assert seconds < _WITHIN
        told = [first, *more]
        execute_on_server(server.url, "ALTER SYSTEM RESET synchronous_standby_names")
        execute_on_server(server.url, "SELECT pg_reload_conf()")
        await_true(lambda: not _list_waiting(server.url), 60.0, "the server still waits")
        last = await _state(log, b"last")
        assert world.failures == []
        assert told == list(range(len(told)))
        # What was not acknowledged may be there: it was written, and nobody was told.
        assert last in {len(told), len(told) + 1}
        assert log.size == last + 1
        world.stop()
        engine.dispose()


def _list_waiting(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        query = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return conn.execute(query).fetchall()


async def _state_until_refused(log: Log) -> tuple[list[int], float]:
    """Return the places of what was acknowledged, and how long the refusal took."""
    told: list[int] = []
    while True:
        began = time.monotonic()
        try:
            told.append(await _state(log, b"waits"))
        except LogError:
            return told, time.monotonic() - began


async def _state(log: Log, document: bytes) -> int:
    return (await log.append(Job(lambda _: [Statement(document, AT)]))).entries[0].index
