"""Fixtures that many rooms share: a fresh, migrated database of each kind."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings
from sqlalchemy import Engine, create_engine, make_url, text

from broker.adapters.database import migrate, open_engine
from datwat.party import database as party
from tests import postgres

_LONG_SECONDS = 3_600
# What an example may take says how busy the machine is, and nothing of the code.
settings.register_profile("datwat", deadline=None)
settings.load_profile("datwat")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--long`: what `make test` does in part is done whole."""
    parser.addoption("--long", action="store_true", help="do the long tests whole")


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Return whether the long tests are done whole (`make test-long`), or in part."""
    return bool(request.config.getoption("--long"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of one xdist_group on one worker, else those of one file.

    Covenants are costly to start, and what a module's tests share is made once.
    pytest-xdist 3.8 writes the group into a place that pytest 9.2 does not read any more.
    """
    for item in items:
        if config.getoption("--long") and item.get_closest_marker("long"):
            # Before the others: the first one counts, and a test may have a timeout of its own.
            item.add_marker(pytest.mark.timeout(_LONG_SECONDS), append=False)
        if not getattr(config.option, "loadgroup", False):
            continue
        group = item.get_closest_marker("xdist_group")
        path, _, name = item.nodeid.partition("::")
        suffix = f"@{group.args[0] if group else path}"
        if not name.endswith(suffix):
            item._id = NodeId(path=path, names=(name + suffix,))  # noqa: SLF001 - no public way


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Return the URL of a PostgreSQL server whose user may create databases."""
    if not postgres.is_available():
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL's server programs are missing: `make test` installs them")
        pytest.skip("no PostgreSQL server programs on this machine")
    folder = tmp_path_factory.getbasetemp()
    with postgres.shared_server(folder if worker_id == "master" else folder.parent) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """Return the name of a migrated database that others are copied from."""
    name = f"template_{uuid.uuid4().hex}"
    execute_on_server(postgres_url, f"CREATE DATABASE {name}")
    engine = open_engine(build_database_url(postgres_url, name))
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database file that others are copied from."""
    path = tmp_path_factory.mktemp("template") / "broker.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Return the URL of a fresh, migrated SQLite file."""
    shutil.copy(sqlite_template, tmp_path / "broker.db")
    return f"sqlite:///{tmp_path / 'broker.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a fresh, migrated database, of each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server = request.getfixturevalue("postgres_url")
    template = request.getfixturevalue("postgres_template")
    with open_database(server, template) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine on a fresh, migrated database, of each kind in turn."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@contextmanager
def open_database(server: str, template: str = "template1") -> Iterator[str]:
    """Yield the URL of a fresh database on the server, which is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    execute_on_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield build_database_url(server, name)
    finally:
        execute_on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def open_party_engine(
    request: pytest.FixtureRequest, folder: Path, migrations: Path
) -> Iterator[Engine]:
    """Yield an engine on a fresh database of the kind in `request.param`, with a party's schema."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'party.sqlite'}"
        else:
            url = stack.enter_context(open_database(request.getfixturevalue("postgres_url")))
        opened = party.open_engine(url)
        stack.callback(opened.dispose)
        party.migrate(opened, migrations)
        yield opened


def build_database_url(server: str, database: str) -> str:
    """Return the URL of a database on the server."""
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def execute_on_server(server: str, statement: str) -> None:
    """Run a statement such as CREATE DATABASE, outside a transaction."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()
