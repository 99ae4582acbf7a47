"""Where the database of a log lies, and what can happen to it: a copy, and a copy put back."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Protocol

from tests.conftest import build_database_url, execute_on_server


class Disk(Protocol):
    """Where a database lies, and what can happen to it there; nobody may be connected."""

    @property
    def url(self) -> str: ...
    def save(self, name: str) -> None: ...
    def put_back(self, name: str) -> None: ...


class SqliteDisk:
    """A folder; a crash leaves the write-ahead log behind, as a real one does."""

    def __init__(self, template: Path, folder: Path) -> None:
        self._folder = folder
        self._now = folder / "now"
        self._now.mkdir()
        shutil.copy(template, self._now / "db")

    @property
    def url(self) -> str:
        return f"sqlite:///{self._now / 'db'}"

    def save(self, name: str) -> None:
        shutil.rmtree(self._folder / name, ignore_errors=True)
        shutil.copytree(self._now, self._folder / name, ignore=shutil.ignore_patterns("*-shm"))

    def put_back(self, name: str) -> None:
        shutil.rmtree(self._now)
        shutil.copytree(self._folder / name, self._now)


class PostgresDisk:
    """A database on a server; copies are databases of their own."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._names: dict[str, str] = {}
        self._copy("now", template)

    @property
    def url(self) -> str:
        return build_database_url(self._server, self._names["now"])

    def save(self, name: str) -> None:
        self._copy(name, self._names["now"])

    def put_back(self, name: str) -> None:
        self._copy("now", self._names[name])

    def close(self) -> None:
        for name in self._names.values():
            execute_on_server(self._server, f"DROP DATABASE {name} WITH (FORCE)")

    def _copy(self, name: str, template: str) -> None:
        """Copy a database, whose backends are ended first, as a crash of their client would."""
        quoted = f"'{template}'"
        execute_on_server(
            self._server,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {quoted}",
        )
        made = f"machine_{uuid.uuid4().hex}"
        execute_on_server(self._server, f"CREATE DATABASE {made} TEMPLATE {template}")
        old = self._names.get(name)
        self._names[name] = made
        if old is not None:
            execute_on_server(self._server, f"DROP DATABASE {old} WITH (FORCE)")
