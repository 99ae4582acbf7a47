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
        where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
        _run("pg_basebackup", *where, "-D", str(home / "data"), "-R", "-X", "stream", "-c", "fast")
        server.start()
        _tell(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        _tell(primary, "SELECT pg_reload_conf()")
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(home)


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
