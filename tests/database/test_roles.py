"""The broker as a role that owns nothing: it does all its work, and cannot rewrite its record."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from datwat.cli import run as run_datwat
from datwat.party.settings import change_settings
from tests.conftest import execute_on_server, open_database
from tests.exchange.world import (
    Running,
    World,
    bsns,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
)

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio(loop_scope="module")]
NUMBERS = bsns()


@dataclass
class Ruled:
    """A world whose broker runs as the application's role, and who may do more."""

    world: World
    admin: str
    application: str
    owner: str
    role: str

    def carry_out(self, statement: str, url: str = "") -> None:
        """Carry out a statement as the administrator, or as whoever a URL names."""
        execute_on_server(url or self.admin, statement)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ruled(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ruled]:
    suffix = uuid.uuid4().hex[:8]
    owner, application = f"owner_{suffix}", f"broker_{suffix}"
    try:
        with open_database(postgres_url) as admin:
            world = World(tmp_path_factory.mktemp("ruled"), database_url=admin)
            apply_roles(world.home, owner, application, admin)
            apply_roles(world.home, owner, application, admin)  # again changes nothing
            url = make_url(admin).set(username=application)
            as_application = url.render_as_string(hide_password=False)
            change_settings(world.home, {"database_url": as_application})
            yield Ruled(world, admin, as_application, owner, application)
    finally:
        for role in (owner, application):
            execute_on_server(postgres_url, f"DROP ROLE IF EXISTS {role}")


def apply_roles(home: Path, owner: str, application: str, admin: str) -> None:
    named = ["--owner", owner, "--application", application]
    command = ["database", "roles", "--home", str(home), *named, "--apply", admin]
    assert run_datwat(command) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(ruled: Ruled) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(ruled.world, stack)


async def test_a_role_that_may_do_all_that_the_owner_may_is_refused(
    ruled: Ruled, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--owner", ruled.owner, "--application", ruled.role]
    home = ["--home", str(ruled.world.home)]
    command = ["database", "roles", *home, *named, "--apply", ruled.admin]
    for more, less in (
        (f"GRANT {ruled.owner} TO {ruled.role}", f"REVOKE {ruled.owner} FROM {ruled.role}"),
        (f"ALTER ROLE {ruled.role} SUPERUSER", f"ALTER ROLE {ruled.role} NOSUPERUSER"),
    ):
        ruled.carry_out(more)
        try:
            assert run_datwat(command) == 1
        finally:
            ruled.carry_out(less)
        assert "may do all that the owner may" in capsys.readouterr().err
    assert run_datwat(command) == 0


async def test_the_broker_does_all_its_work(ruled: Ruled, running: Running) -> None:
    broker, bsn = running.broker, next(NUMBERS)
    await register(running, "debt-counselling", bsn, "debt_counselling")
    household = await open_household(running, bsn)
    assert inquiry_part(await inquire(running, household)).pointers
    await broker.publishing.tag_roots.state()
    size = broker.log.size
    # What ends: contents, keys, and in the end whose the entries were.
    ruled.carry_out("UPDATE log_entries SET retention_until = 1 WHERE retention_until IS NOT NULL")
    ruled.carry_out("UPDATE involvements SET until_at = 1, expires_at = 1")
    while await broker.housekeeper.run_round():
        pass
    assert broker.housekeeper.failed == frozenset()
    with broker.store.reading() as conn:
        query = f"SELECT count(*) FROM log_entries WHERE idx < {size} AND sealed IS NOT NULL"
        assert conn.exec_driver_sql(query).scalar() == 0
    assert broker.log.size > size  # that it ended stands on the log
    assert run_datwat(["database", "migrate", "--home", str(ruled.world.home)]) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_entries SET entry = entry WHERE idx = 0",
        "UPDATE log_entries SET idx = idx WHERE idx = 0",
        "UPDATE log_entries SET document = NULL WHERE idx = 0",
        "UPDATE log_entries SET at = 0 WHERE idx = 0",
        "DELETE FROM log_entries WHERE idx = 0",
        "TRUNCATE log_entries",
        "UPDATE log_nodes SET hash = hash",
        "DELETE FROM log_nodes",
        "UPDATE log_tags SET idx = idx",
        "DELETE FROM log_tags",
        "UPDATE log_tag_roots SET root = root",
        "UPDATE log_head SET origin = origin",
        "DELETE FROM log_head",
        "UPDATE log_past_entries SET entry = entry",
        "DELETE FROM log_past_entries",
        "UPDATE decision_log SET chained = chained",
        "UPDATE alembic_version SET version_num = '9999'",
        "ALTER TABLE log_entries ADD COLUMN more TEXT",
        "DROP TABLE log_entries",
        "CREATE TABLE more (a INTEGER)",
        "CREATE TRIGGER t BEFORE INSERT ON log_entries FOR EACH ROW EXECUTE FUNCTION version()",
    ],
)
async def test_the_application_cannot_rewrite_its_record(
    ruled: Ruled, running: Running, statement: str
) -> None:
    url = make_url(ruled.application).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection, pytest.raises(ProgrammingError) as caught:
        connection.execute(text(statement))
    engine.dispose()
    assert isinstance(caught.value.orig, InsufficientPrivilege)


@pytest.mark.parametrize(
    "names",
    [["--owner", 'x"; DROP'], ["--application", "Upper"], ["--application", "datwat_owner"]],
)
async def test_names_that_are_none_are_refused(
    ruled: Ruled, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_datwat(["database", "roles", "--home", str(ruled.world.home), *names]) == 1
    assert "lower-case" in capsys.readouterr().err


async def test_what_is_printed_is_what_is_carried_out(
    ruled: Ruled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_datwat(["database", "roles", "--home", str(ruled.world.home)]) == 0
    printed = capsys.readouterr().out
    try:
        with psycopg.connect(ruled.admin, autocommit=True) as connection:
            connection.execute(printed)
            can = "SELECT has_table_privilege('datwat_broker', 'log_entries', 'DELETE')"
            assert connection.execute(can).fetchone() == (False,)
    finally:
        for role in ("datwat_broker", "datwat_owner"):
            ruled.carry_out(f"REASSIGN OWNED BY {role} TO postgres")
            ruled.carry_out(f"DROP OWNED BY {role}")
            ruled.carry_out(f"DROP ROLE {role}")


async def test_who_may_not_give_rights_is_told_so(
    ruled: Ruled, running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(ruled.world.home)
    for url, said in (
        (ruled.application, "lacks rights"),
        ("sqlite:///x.sqlite", "a file has no roles"),
        ("postgresql://nobody@127.0.0.1:1/none", "No PostgreSQL server answers"),
    ):
        assert run_datwat(["database", "roles", "--home", home, "--apply", url]) == 1
        assert said in capsys.readouterr().err
