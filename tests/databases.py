"""Which database the tests' parties keep: an SQLite file each, or one of a PostgreSQL server.

`pytest --database postgresql` gives every home that is made (by `init`, or by a test itself) a
database of its own on the server that all tests share: the line `database_url` in its settings.toml
is all that differs, as for a user. Whoever reads a party's database in a test does so by what is
here, and not by the file. A test that is about SQLite's files is marked `sqlite_only`, with why.
"""

from __future__ import annotations

import shutil
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from broker.adapters.database import MIGRATIONS as BROKER
from connectors.tables import MIGRATIONS as CONNECTOR
from datwat.party import settings
from datwat.party.database import find_sqlite_file, migrate, open_engine, reading
from datwat.party.settings import SETTINGS_FILE
from keyholder.tables import MIGRATIONS as KEY_HOLDER
from witness.tables import MIGRATIONS as WITNESS

EACH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
"""The cases of a fixture whose tests run on both kinds, whatever the run is on."""

SCHEMAS = {"broker": BROKER, "connector": CONNECTOR, "keyholder": KEY_HOLDER, "witness": WITNESS}
"""By the command that makes a party's home; the portal keeps no database."""


class OnServer:
    """The databases of this run's parties on one server: who has which, and when they go."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._templates: dict[str, str] = {}
        self._urls: dict[Path, str] = {}

    def find(self, folder: Path, party: str = "") -> str:
        """Return the URL of the folder's database: a new one, with the schema of `party`, once."""
        folder = folder.resolve()
        if folder not in self._urls:
            self._urls[folder] = create_database(self.server, self._find_template(party))
        return self._urls[folder]

    def copy(self, source: Path, target: Path) -> None:
        """Make the database of one folder what that of another is; nobody may be using either."""
        held = self._urls.pop(target.resolve(), None)
        if held is not None:
            drop_database(self.server, held)
        name = make_url(self._urls[source.resolve()]).database
        # A process that was killed has its connections for a moment longer.
        execute_on_server(
            self.server,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        new = str(make_url(held).database) if held is not None else ""
        self._urls[target.resolve()] = create_database(self.server, str(name), new)

    def drop_under(self, folder: Path | None = None) -> None:
        """Drop the databases of all homes under `folder`, or every one."""
        for home, url in list(self._urls.items()):
            if folder is None or home.is_relative_to(folder.resolve()):
                drop_database(self.server, url)
                del self._urls[home]

    def _find_template(self, party: str) -> str:
        if not party:
            return "template1"
        if party not in self._templates:
            url = create_database(self.server)
            engine = open_engine(url)
            migrate(engine, SCHEMAS[party])
            engine.dispose()
            self._templates[party] = str(make_url(url).database)
        return self._templates[party]


_on_server: OnServer | None = None


@contextmanager
def on_server(server: str) -> Iterator[OnServer]:
    """Give every home that is made from now on a database of its own on this server."""
    global _on_server  # noqa: PLW0603 - one choice for the whole run, as on the command line
    write = settings._write_private  # noqa: SLF001 - the one place that writes a settings.toml
    held = OnServer(server)

    def write_with_database(path: Path, values: Mapping[str, settings.Plain]) -> None:
        party = str(values.get("party", ""))
        if party in SCHEMAS and not values.get("database_url"):
            values = {**values, "database_url": held.find(path.parent, party)}
        write(path, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "_write_private", write_with_database)
        _on_server = held
        try:
            yield held
        finally:
            _on_server = None


def are_on_server() -> bool:
    """Whether parties keep their database on PostgreSQL in this run."""
    return _on_server is not None


def find_own_url(folder: Path) -> str:
    """Return where a store without a settings.toml is kept: in this folder, or on the server."""
    if _on_server is not None:
        return _on_server.find(folder)
    return f"sqlite:///{folder / 'database' / 'party.sqlite'}"


def read_url(home: Path) -> str:
    """Return the database of a party, as its settings.toml has it."""
    held = tomllib.loads((home / SETTINGS_FILE).read_text(encoding="utf-8"))
    return str(held.get("database_url") or f"sqlite:///{home / 'database' / 'party.sqlite'}")


@contextmanager
def opened(home: Path) -> Iterator[Engine]:
    """Yield an engine on the database of a party, which may run meanwhile."""
    engine = open_engine(read_url(home))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def writing(home: Path) -> Iterator[Connection]:
    """Yield a connection in a transaction that is committed at the end."""
    with opened(home) as engine, engine.begin() as connection:
        yield connection


def read_rows(home: Path, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Return what a party's database answers to a query with `:name` for its values."""
    with opened(home) as engine, reading(engine).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def change_rows(home: Path, statement: str, **values: object) -> None:
    """Change a party's database, by a statement with `:name` for its values."""
    with writing(home) as connection:
        connection.execute(text(statement), values)


def list_tables(home: Path) -> list[str]:
    """Return the names of the tables of a party's database."""
    with opened(home) as engine:
        return inspect(engine).get_table_names()


def read_whole(url: str) -> bytes:
    """Return what a database holds: SQLite's files as they are, or every value of every row."""
    if file := find_sqlite_file(url):
        return b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
    engine = open_engine(url)
    with reading(engine).connect() as connection:
        values = [
            value
            for table in inspect(connection).get_table_names()
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            for value in row
        ]
    engine.dispose()
    return b"\x00".join(
        value if isinstance(value, bytes) else str(value).encode() for value in values
    )


def lose_database(url: str) -> None:
    """Leave nothing of a database that nobody uses, as when a disk was replaced."""
    if file := find_sqlite_file(url):
        for path in file.parent.glob(f"{file.name}*"):
            path.unlink()
        return
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


def copy_database(home: Path, to: Path) -> None:
    """Copy the database of a home to another folder, or from there back: nobody may use them."""
    if _on_server is not None:
        _on_server.copy(home, to)
        return
    shutil.rmtree(to / "database", ignore_errors=True)
    shutil.copytree(home / "database", to / "database")


def create_database(server: str, template: str = "template1", name: str = "") -> str:
    """Make a database on the server, as its template is, and return its URL."""
    name = name or f"test_{uuid.uuid4().hex}"
    execute_on_server(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return build_database_url(server, name)


def drop_database(server: str, url: str) -> None:
    """Drop a database and whoever is in it; a test may have done so."""
    with suppress(ProgrammingError):
        execute_on_server(server, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


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


def require_held_goes_on(engine: Engine) -> None:
    """Require of a party's opener of SQLite that a held connection outlives a failed COMMIT."""
    kept = "number INTEGER PRIMARY KEY, of INTEGER REFERENCES kept DEFERRABLE INITIALLY DEFERRED"
    with engine.connect() as held:
        with held.begin():
            held.exec_driver_sql(f"CREATE TABLE kept ({kept})")
        with pytest.raises(IntegrityError), held.begin():
            held.exec_driver_sql("INSERT INTO kept VALUES (1, 2)")
        with held.begin():
            held.exec_driver_sql("INSERT INTO kept VALUES (3, 3)")
        with held.begin():
            assert held.exec_driver_sql("SELECT number FROM kept").scalars().all() == [3]
    engine.dispose()
