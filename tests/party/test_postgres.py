"""A server that is not what it must be is refused with what to do; one that comes back is used."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, TextClause, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datwat.party import database_errors as errors
from datwat.party import postgres as opening
from datwat.party.database import COPYING, migrate, open_engine, reading
from keyholder.tables import MIGRATIONS
from tests.conftest import build_database_url, execute_on_server, open_database
from tests.postgres import OwnServer, own_server

pytestmark = pytest.mark.postgres


@pytest.fixture
def own_url(postgres_url: str) -> Iterator[str]:
    with open_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as made:
        yield made


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def require_refused(url: str, kind: type[errors.DatabaseError]) -> None:
    """See that a start is refused so, and that nothing of the address is told."""
    with opened(url) as engine, pytest.raises(errors.DatabaseError) as caught:
        migrate(engine, MIGRATIONS)
    assert type(caught.value) is kind
    parsed = make_url(url)
    for secret in (parsed.username, parsed.password, parsed.database):
        if secret and len(secret) > 8:
            assert secret not in caught.value.detail


@pytest.mark.parametrize("setting", ["fsync=off", "full_page_writes=off"])
def test_a_server_that_may_lose_its_disk_is_refused(server: OwnServer, setting: str) -> None:
    server.stop("fast")
    server.start(setting)
    try:
        require_refused(server.url, errors.DatabaseNotDurableError)
    finally:
        server.stop("fast")
        server.start()
    with opened(server.url) as engine:
        migrate(engine, MIGRATIONS)


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("synchronous_commit = off", errors.DatabaseNotDurableError),
        ("synchronous_commit = local", errors.DatabaseNotDurableError),
        ("synchronous_commit = remote_write", errors.DatabaseNotDurableError),
        ("default_transaction_read_only = on", errors.DatabaseReadOnlyError),
    ],
)
def test_a_role_that_is_set_up_otherwise_is_refused(
    own_url: str, postgres_url: str, setting: str, kind: type[errors.DatabaseError]
) -> None:
    execute_on_server(postgres_url, "CREATE ROLE set_otherwise LOGIN SUPERUSER")
    try:
        execute_on_server(postgres_url, f"ALTER ROLE set_otherwise SET {setting}")
        url = make_url(own_url).set(username="set_otherwise")
        require_refused(url.render_as_string(hide_password=False), kind)
    finally:
        execute_on_server(postgres_url, "DROP ROLE set_otherwise")


def test_remote_apply_is_more_than_on(own_url: str, postgres_url: str) -> None:
    name = make_url(own_url).database
    execute_on_server(postgres_url, f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    with opened(own_url) as engine:
        migrate(engine, MIGRATIONS)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_another_encoding_is_refused(postgres_url: str, encoding: str) -> None:
    execute_on_server(
        postgres_url,
        f"CREATE DATABASE other_encoding TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'",
    )
    try:
        url = build_database_url(postgres_url, "other_encoding")
        require_refused(url, errors.DatabaseEncodingError)
    finally:
        execute_on_server(postgres_url, "DROP DATABASE other_encoding WITH (FORCE)")


def test_a_standby_is_refused_until_it_is_promoted(server: OwnServer) -> None:
    server.stop("fast")
    (server.home / "data" / "standby.signal").touch()
    server.start()
    require_refused(server.url, errors.DatabaseReadOnlyError)
    with psycopg.connect(server.url) as connection:
        connection.execute("SELECT pg_promote()")
    with opened(server.url) as engine:
        migrate(engine, MIGRATIONS)


def test_an_older_server_is_refused(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only one version is installed here: the bound moves instead.
    monkeypatch.setattr(opening, "OLDEST_VERSION", 10_000_000)
    require_refused(own_url, errors.DatabaseOldServerError)


def test_a_role_without_rights_is_refused(own_url: str, postgres_url: str) -> None:
    execute_on_server(postgres_url, "CREATE ROLE without_rights LOGIN")
    url = make_url(own_url).set(username="without_rights").render_as_string(hide_password=False)
    try:
        require_refused(url, errors.DatabaseRightsError)  # to make the tables
        with opened(own_url) as engine:
            migrate(engine, MIGRATIONS)
        require_refused(url, errors.DatabaseRightsError)  # to read the revision
        execute_on_server(own_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO without_rights")
        require_refused(url, errors.DatabaseRightsError)  # to add a row
        execute_on_server(own_url, "GRANT INSERT ON ALL TABLES IN SCHEMA public TO without_rights")
        with opened(url) as engine:
            migrate(engine, MIGRATIONS)
    finally:
        execute_on_server(own_url, "DROP OWNED BY without_rights")
        execute_on_server(postgres_url, "DROP ROLE without_rights")


def test_who_is_not_let_in_is_told_so(postgres_url: str) -> None:
    require_refused(build_database_url(postgres_url, "no_such_database"), errors.DatabaseEntryError)
    nobody = make_url(postgres_url).set(username="nobody_of_that_name", password="hunter2hunter2")
    require_refused(nobody.render_as_string(hide_password=False), errors.DatabaseEntryError)


def test_a_server_that_is_not_there_or_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_refused("postgresql://nobody@127.0.0.1:1/none", errors.DatabaseUnreachableError)
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        port = silent.getsockname()[1]
        url = f"postgresql://nobody@127.0.0.1:{port}/none"
        require_refused(url, errors.DatabaseUnreachableError)
        assert time.monotonic() - began < 8


def test_a_copy_that_was_not_finished_is_not_started_from(own_url: str) -> None:
    with opened(own_url) as engine:
        migrate(engine, MIGRATIONS)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE TABLE {COPYING} (mark TEXT)"))
    require_refused(own_url, errors.DatabaseUnfinishedError)


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


def test_a_read_sees_one_moment_and_writes_nothing(own_url: str) -> None:
    with opened(own_url) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a INTEGER)"))
        with reading(engine).connect() as view:
            seen = text("SELECT count(*) FROM t")
            assert view.execute(seen).scalar() == 0
            with engine.begin() as other:
                other.execute(text("INSERT INTO t VALUES (1)"))
            assert view.execute(seen).scalar() == 0
            with pytest.raises(DBAPIError, match="read-only"):
                view.execute(text("INSERT INTO t VALUES (2)"))
            view.rollback()
            assert view.execute(seen).scalar() == 1
        # The same connection of the pool writes again, and reads what others commit meanwhile.
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (3)"))
        assert engine.pool.checkedin() <= 2  # type: ignore[attr-defined] # of a QueuePool
        assert count(engine) == 2


def test_connections_that_were_cut_are_replaced_before_they_are_used(
    own_url: str, postgres_url: str
) -> None:
    with opened(own_url) as engine:
        with engine.begin() as connection, engine.connect() as second:
            connection.execute(text("CREATE TABLE t (a INTEGER)"))
            second.execute(text("SELECT 1"))
        name = make_url(own_url).database
        # Each waits until the server's process is gone, and has said its last words.
        kill = (
            "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
            f" WHERE datname = '{name}'"
        )
        execute_on_server(postgres_url, kill)
        for _ in range(4):
            assert count(engine) == 0


def test_a_server_started_again_is_used_at_once(server: OwnServer) -> None:
    with opened(server.url) as engine:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS t"))
            connection.execute(text("CREATE TABLE t (a INTEGER)"))
        server.stop()
        with pytest.raises(DBAPIError) as caught:
            count(engine)
        assert errors.find_away(caught.value) is not None
        server.start()
        assert count(engine) == 0


def find_away(engine: Engine, limit: str, statement: TextClause, pause: float = 0.0) -> bool:
    """Return whether a statement that fails within 50 ms of this limit is worth another try."""
    with engine.connect() as connection:
        connection.execute(text(f"SET LOCAL {limit} = '50ms'"))
        time.sleep(pause)
        with pytest.raises(DBAPIError) as caught:
            connection.execute(statement)
    return errors.find_away(caught.value) is not None


def test_what_takes_too_long_ends_and_is_worth_another_try(own_url: str) -> None:
    with opened(own_url) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a INTEGER)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
            limits = {
                name: connection.execute(text(f"SHOW {name}")).scalar()
                for name in (
                    "statement_timeout",
                    "lock_timeout",
                    "idle_in_transaction_session_timeout",
                )
            }
        assert limits == {
            "statement_timeout": "30s",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "1min",
        }
        lock = text("SELECT * FROM t FOR UPDATE")
        with engine.begin() as holder:
            holder.execute(lock)
            assert find_away(engine, "lock_timeout", lock)
        assert find_away(engine, "statement_timeout", text("SELECT pg_sleep(5)"))
        one = text("SELECT 1")
        assert find_away(engine, "idle_in_transaction_session_timeout", one, pause=1.0)
        # A defect, which no other try mends.
        assert not find_away(engine, "lock_timeout", text("SELECT * FROM no_such_table"))
        assert count(engine) == 1


def test_a_pool_that_is_used_up_says_so(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "POOL_SIZE", 1)
    monkeypatch.setattr(opening, "MAX_OVERFLOW", 0)
    with opened(own_url) as engine:
        monkeypatch.setattr(engine.pool, "_timeout", 0.1)
        with (
            engine.connect() as held,
            pytest.raises(PoolTimeoutError) as caught,
            engine.connect(),
        ):
            held.execute(text("SELECT 1"))
        assert errors.find_away(caught.value) is not None


def test_a_connection_that_outlives_its_pool_is_closed_without_a_word(own_url: str) -> None:
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    with opened(own_url) as engine:
        held = engine.connect()
        pid = held.execute(text("SELECT pg_backend_pid()")).scalar_one()
        engine.dispose()  # a thread that nobody waits for is still at work
        held.close()
        del held
        gc.collect()  # a warning of it would fail this test
        for _ in range(100):
            with engine.connect() as other:
                if not other.execute(asked, {"pid": pid}).scalar_one():
                    return
            time.sleep(0.05)
        pytest.fail("the server still has it")


def test_of_several_hosts_the_one_that_takes_changes_is_used(server: OwnServer) -> None:
    url = f"postgresql://postgres@/postgres?host=127.0.0.1:1&host=127.0.0.1:{server.port}"
    with opened(url) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT pg_is_in_recovery()")).scalar() is False
