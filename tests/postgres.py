"""A private PostgreSQL server for the tests: started once, shared by all workers, gone at the end.

It runs from the machine's own server programs, as another user when the tests run as root (the
server refuses root), with fsync on: the broker refuses a server that could lose commits.
`TESTS_DATWAT_DATABASE_URL` names a server to use instead (its user may create databases).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.covenant import find_ports

_PROGRAMS = sorted(
    Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
)


def is_available() -> bool:
    """Whether there is a server to use or to start."""
    return "TESTS_DATWAT_DATABASE_URL" in os.environ or bool(_find_programs())


@contextmanager
def shared_server(folder: Path) -> Iterator[str]:
    """Yield the URL of a server; the last of those who share `folder` stops it."""
    given = os.environ.get("TESTS_DATWAT_DATABASE_URL")
    if given is not None:
        yield given
        return
    state = folder / "postgres.json"
    with _locked(folder):
        content: dict[str, Any] = (
            json.loads(state.read_text()) if state.exists() else {"users": 0, **_start()}
        )
        content["users"] += 1
        state.write_text(json.dumps(content))
    try:
        yield f"postgresql://postgres@127.0.0.1:{content['port']}/postgres"
    finally:
        with _locked(folder):
            content = json.loads(state.read_text())
            content["users"] -= 1
            if content["users"]:
                state.write_text(json.dumps(content))
            else:
                state.unlink()
                _stop(Path(content["home"]))


def _find_programs() -> Path | None:
    if _PROGRAMS:
        return _PROGRAMS[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class OwnServer:
    """A server of one's own, to stop, to start again and to set up otherwise."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The server's first process."""
        return int((self.home / "data" / "postmaster.pid").read_text().split()[0])

    def start(self, *settings: str) -> None:
        """Start it and wait until it answers; `settings` are `name=value`."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1"
            f" -c unix_socket_directories={self.home} -c max_connections=200"
            " -c shared_buffers=64MB"
        )
        options += "".join(f" -c {setting}" for setting in settings)
        log = str(self.home / "log")
        where = ("-D", str(self.home / "data"))
        _run("pg_ctl", *where, "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: at once, as a power cut would (`immediate`), or after what runs (`fast`)."""
        _run("pg_ctl", "-D", str(self.home / "data"), "-w", "-m", mode, "stop")


@contextmanager
def own_server(*settings: str) -> Iterator[OwnServer]:
    """Yield a running server that nobody else uses; it is gone afterwards."""
    server = _make()
    try:
        server.start(*settings)
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):  # a test may have stopped it
            server.stop()
        shutil.rmtree(server.home)


def _start() -> dict[str, Any]:
    server = _make()
    server.start()
    return {"home": str(server.home), "port": server.port}


def _make() -> OwnServer:
    home = Path(tempfile.mkdtemp(prefix="datwat-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    _run("initdb", "-D", str(home / "data"), "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
    (port,) = find_ports(1)  # its own also while it is stopped
    return OwnServer(home, port)


def _stop(home: Path) -> None:
    OwnServer(home, 0).stop()
    shutil.rmtree(home)


def _run(program: str, *arguments: str) -> None:
    folder = _find_programs()
    if folder is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    command = [str(folder / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(
        command,
        check=True,
        timeout=90,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
