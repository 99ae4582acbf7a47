"""A synchronous standby of a test's own server, which can be promoted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, text

from demo.covenant import find_ports
from tests import postgres
from tests.postgres import OwnServer

_run = postgres._run  # noqa: SLF001 - as the user of the servers
_SECONDS = 30.0


@contextmanager
def standby_of(primary: OwnServer) -> Iterator[OwnServer]:
    """Yield a server that has all that the primary acknowledges from here on."""
    home = Path(tempfile.mkdtemp(prefix="datwat-standby-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    (port,) = find_ports(1)
    server = OwnServer(home, port)
    try:
        take_copy(primary, server)
        server.start()
        change_setting(primary, "synchronous_standby_names", "*")
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(home)


def take_copy(primary: OwnServer, server: OwnServer) -> None:
    """Copy the primary to where a standby will follow it from."""
    where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
    data = str(server.home / "data")
    _run("pg_basebackup", *where, "-D", data, "-R", "-X", "stream", "-c", "fast")


def rewind(old: OwnServer, primary: OwnServer) -> None:
    """Make a standby of a primary that was left behind, which need not have ended in order."""
    _tell(primary, "CHECKPOINT")  # before one, it says that it is still what it was
    source = f"host=127.0.0.1 port={primary.port} user=postgres dbname=postgres"
    _run("pg_rewind", "-D", str(old.home / "data"), f"--source-server={source}", "-R")


def change_setting(server: OwnServer, name: str, value: str) -> None:
    """Write a setting into the server's own file, and have it read what it can at once."""
    _tell(server, f"ALTER SYSTEM SET {name} = '{value}'")
    _tell(server, "SELECT pg_reload_conf()")


def is_followed(primary: OwnServer) -> bool:
    """Whether commits at the primary wait for its standby."""
    return _tell(primary, "SELECT sync_state FROM pg_stat_replication") in ("sync", "quorum")


def promote(server: OwnServer) -> None:
    """Make the standby the one that takes changes."""
    _run("pg_ctl", "-D", str(server.home / "data"), "-w", "-t", "60", "promote")


def _tell(server: OwnServer, statement: str) -> object:
    url = server.url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        result = conn.execute(text(statement))
        found = result.scalar() if result.returns_rows else None
    engine.dispose()
    return found
