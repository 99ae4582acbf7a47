"""A PostgreSQL of the bench's own, from the machine's installed programs, with the broker's rows.

Rule: fsync and all that the broker insists on stay on. The filled data folder is made once and kept
beside the SQLite one (`bench/kept.py`); each run works on a copy, which goes with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psycopg

from bench import seed
from bench.kept import keep
from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import load_secrets
from broker.audit.log import create_log
from broker.audit.sealing import Sealing
from broker.settings import BrokerSettings
from datwat.party.settings import change_settings, load_settings
from tests.postgres import OwnServer, own_server

Database = Literal["sqlite", "postgresql"]
_NAME = "broker"
_SECRETS = ("secrets/row.key", "secrets/kek.json")
# A quarter of what a small server has; the tests' own server makes do with less.
SETTINGS = ("shared_buffers=1GB", "max_wal_size=4GB")
_OWNER = "postgres"


class MeansMissingError(Exception):
    """This machine, or this version, cannot do what was asked; the message says what to do."""


def require_means(database: Database, brokers: int) -> None:
    """Raise MeansMissingError where there is no PostgreSQL to start, or no way to run so many."""
    if database == "sqlite":
        if brokers > 1:
            raise MeansMissingError(
                "Several broker processes need PostgreSQL: add --database postgresql."
            )
        return
    found = shutil.which("initdb") or next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None)
    if found is None:
        raise MeansMissingError(
            "This machine has no PostgreSQL server to measure on: `make bench-full` installs its "
            "programs on Debian and Ubuntu (as root: apt-get install postgresql), or leave out "
            "--database postgresql."
        )


@contextlib.contextmanager
def open_filled(home: Path, cache: Path, pointers: int) -> Iterator[OwnServer]:
    """Yield a running server with so many pointers, which the broker in `home` uses from now on.

    The broker must not run yet; it gets the keys with which the rows were written.
    """
    sources = [Path(seed.__file__), Path(__file__)]
    kept = keep(
        cache, _OWNER, pointers, sources, lambda folder: _make(home, folder, pointers)
    ).folder
    for name in _SECRETS:
        shutil.copy(kept / name, home / name)
    with own_server(*SETTINGS) as server:
        server.stop("fast")
        _replace_data(server, kept / "data")
        server.start(*SETTINGS)
        change_settings(home, {"database_url": _build_url(server)})
        yield server


def find_pid(server: OwnServer) -> int:
    """Return the server's first process: all others are its children."""
    return int((server.home / "data" / "postmaster.pid").read_text().split()[0])


def _make(home: Path, folder: Path, pointers: int) -> None:
    """Fill a new server through the broker's own tables, and keep its data folder."""
    settings, secrets = load_settings(BrokerSettings, home), load_secrets(home)
    with own_server(*SETTINGS) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_NAME}")
        engine = open_engine(_build_url(server))
        migrate(engine)
        store = SqlLogStore(engine)
        create_log(store, Sealing(secrets.kek, store), settings.log_origin)
        store.close()
        seed.write(engine, secrets, pointers)
        engine.dispose()
        with psycopg.connect(_build_url(server), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        server.stop("fast")
        shutil.copytree(server.home / "data", folder / "data")
        server.start()  # the one who opened it ends it
    for name in _SECRETS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(home / name, folder / name)


def _replace_data(server: OwnServer, kept: Path) -> None:
    data = server.home / "data"
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", _OWNER, str(data)], check=True)
    data.chmod(0o700)


def _build_url(server: OwnServer) -> str:
    return server.url.rpartition("/")[0] + f"/{_NAME}"
