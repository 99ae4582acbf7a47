"""Fixtures that many rooms share: a fresh, migrated database of each kind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings
from sqlalchemy import Engine, make_url

from broker.adapters.database import migrate, open_engine
from datwat.party import database as party
from tests import databases, postgres
from tests.databases import build_database_url, execute_on_server

__all__ = ["build_database_url", "execute_on_server"]

_LONG_SECONDS = 3_600
# What an example may take says how busy the machine is, and nothing of the code.
settings.register_profile("datwat", deadline=None)
settings.load_profile("datwat")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take `--long` (what `make test` does in part is done whole) and `--database`."""
    parser.addoption("--long", action="store_true", help="do the long tests whole")
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where the parties of all tests keep their rows: a file each, or one server",
    )


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Return whether the long tests are done whole (`make test-long`), or in part."""
    return bool(request.config.getoption("--long"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is SQLite's alone, and keep the tests of one file or group on one worker.

    Covenants are costly to start, and what a module's tests share is made once.
    pytest-xdist 3.8 writes the group into a place that pytest 9.2 does not read any more.
    """
    if config.getoption("--database") == "postgresql":
        _leave_sqlite_out(config, items)
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


def _leave_sqlite_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out what its twin on PostgreSQL does too, and skip what is SQLite's alone."""
    twins = {item for item in items if "sqlite" in _read_case(item)}
    config.hook.pytest_deselected(items=list(twins))
    items[:] = [item for item in items if item not in twins]
    for item in items:
        if mark := item.get_closest_marker("sqlite_only"):
            item.add_marker(pytest.mark.skip(reason=f"SQLite only: {mark.args[0]}"))


def _read_case(item: pytest.Item) -> list[object]:
    case = getattr(item, "callspec", None)
    return [] if case is None else list(case.params.values())


@pytest.fixture(scope="session", autouse=True)
def parties_databases(request: pytest.FixtureRequest) -> Iterator[databases.OnServer | None]:
    """Give every party its database on the server, where the run is told so."""
    if request.config.getoption("--database") == "sqlite":
        yield None
        return
    with databases.on_server(request.getfixturevalue("postgres_url")) as held:
        yield held
        held.drop_under()
    made = request.getfixturevalue("tmp_path_factory").getbasetemp().rglob("party.sqlite")
    assert not (files := [str(path) for path in made]), f"these ran on SQLite after all: {files}"


@pytest.fixture(autouse=True)
def end_databases(
    request: pytest.FixtureRequest, parties_databases: databases.OnServer | None
) -> Iterator[None]:
    """Drop the databases of the parties that one test had for itself."""
    if parties_databases is None or "tmp_path" not in request.fixturenames:
        yield
        return
    folder = request.getfixturevalue("tmp_path")
    yield
    parties_databases.drop_under(folder)


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
    url = databases.create_database(postgres_url)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    return str(make_url(url).database)


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


@pytest.fixture(params=databases.EACH)
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
    url = databases.create_database(server, template)
    try:
        yield url
    finally:
        databases.drop_database(server, url)


@contextmanager
def choose_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of an empty database on the server where `request.param` says so, else none.

    A home that is told of none has what the run has for all.
    """
    with ExitStack() as stack:
        url = ""
        if getattr(request, "param", "sqlite") == "postgresql":
            url = stack.enter_context(open_database(request.getfixturevalue("postgres_url")))
        yield url


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
