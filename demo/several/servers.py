"""The PostgreSQL servers of a broker of several processes: a primary, its standby, the ratchet's.

Rule: nothing is acknowledged that the standby does not have (`synchronous_standby_names`), so that
it can take over at any moment; the ratchet lies on a server of its own, which survives that. All
three listen on sockets in their own folders and nowhere else.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psycopg

from datwat.party.errors import PartyError
from demo.processes import Child, Processes
from demo.systems import postgres

OWNER: Final = "datwat_owner"
APPLICATION: Final = "datwat_broker"
_ADMINISTRATOR: Final = "postgres"
_DATABASE: Final = "broker"
_RATCHET: Final = "ratchet"
_CONNECTIONS: Final = 150
_COPY_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_TOO_LONG: Final = (
    "The folder for temporary files has too long a name for a PostgreSQL server's socket: name a "
    "shorter one in TMPDIR."
)


class NoServerError(PartyError):
    """This machine cannot run the servers."""

    code = "demo_no_server"
    default_detail = (
        "Several brokers need PostgreSQL 15 or newer on this machine, and there is none: install "
        "it (on Debian: apt install postgresql), or play the demo without --brokers."
    )


@dataclass(frozen=True)
class Server:
    """One server and its folder."""

    name: str
    folder: Path

    def url(self, user: str, database: str) -> str:
        """Return the address for a role and a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"


class Servers:
    """The three servers; `promote` makes the standby the one that takes changes."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        """Look whether they can run here; raise NoServerError.

        `folder` is the demo's: what lies beside it under its name goes with it at the end.
        """
        found = postgres.find_programs()
        # Outside the private folder: the servers' own user must reach it.
        names = ("primary", "standby", "ratchet")
        places = [folder.parent / f"{folder.name}-{name}" for name in names]
        if found is None:
            raise NoServerError
        if not all(map(postgres.fits, places)):
            raise NoServerError(_TOO_LONG)
        self._programs = found
        self._processes = processes
        self.primary, self.standby, self.ratchet = map(Server, names, places)

    @property
    def url(self) -> str:
        """The broker's database for the running broker: whichever server takes changes."""
        return self._build_url(APPLICATION)

    @property
    def owner_url(self) -> str:
        """The same for who makes and migrates the tables."""
        return self._build_url(OWNER)

    @property
    def administrator_url(self) -> str:
        """The same for who administers the servers."""
        return self._build_url(_ADMINISTRATOR)

    @property
    def ratchet_url(self) -> str:
        """The ratchet's database."""
        return self.ratchet.url(_RATCHET, _RATCHET)

    def start(self) -> None:
        """Make and start all three, with an empty database that both roles may use."""
        for server in (self.primary, self.ratchet):
            postgres.create_cluster(self._programs, server.folder)
            self._run(server)
        self._copy()
        following = self._run(self.standby)
        for role in (OWNER, APPLICATION):
            _tell(self.primary, f"CREATE ROLE {role} LOGIN")
        _tell(self.primary, f"CREATE DATABASE {_DATABASE} OWNER {OWNER}")
        _tell(self.ratchet, f"CREATE ROLE {_RATCHET} LOGIN")
        _tell(self.ratchet, f"CREATE DATABASE {_RATCHET} OWNER {_RATCHET}")
        # Only now: what the standby was made from must not make it wait for one of its own.
        _tell(self.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        _tell(self.primary, "SELECT pg_reload_conf()")
        self._processes.await_ready(following, self._is_followed)

    def stop_primary(self) -> None:
        """End the primary at once, as a power cut would: nothing is written out any more."""
        name = _name(self.primary)
        child = next(one for one in self._processes.children if one.name == name)
        self._processes.children.remove(child)
        child.process.send_signal(signal.SIGQUIT)
        child.process.wait(timeout=_STOP_SECONDS)

    def promote(self) -> None:
        """Make the standby the one that takes changes."""
        _tell(self.standby, "SELECT pg_promote()")

    def takes_changes(self) -> bool:
        """Return whether the standby was promoted."""
        return _tell(self.standby, "SELECT NOT pg_is_in_recovery()") is True

    def _build_url(self, user: str) -> str:
        hosts = "&".join(f"host={one.folder}" for one in (self.primary, self.standby))
        return f"postgresql://{user}@/{_DATABASE}?{hosts}"

    def _run(self, server: Server) -> Child:
        child = self._processes.start(
            _name(server),
            postgres.build_command(self._programs, server.folder, connections=_CONNECTIONS),
            death_signal=signal.SIGQUIT,
            **postgres.build_user(),
        )
        self._processes.await_ready(child, lambda: postgres.is_ready(server.folder))
        return child

    def _copy(self) -> None:
        """Make the standby: a copy of the primary that goes on following it."""
        postgres.make_folder(self.standby.folder)
        where = ("-h", str(self.primary.folder), "-U", _ADMINISTRATOR)
        subprocess.run(
            [
                *(str(self._programs / "pg_basebackup"), *where),
                *("-D", str(self.standby.folder / "data"), "-R", "-X", "stream", "-c", "fast"),
                "--no-sync",
            ],
            check=True,
            timeout=_COPY_SECONDS,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **postgres.build_user(),
        )

    def _is_followed(self) -> bool:
        state = _tell(self.primary, "SELECT max(sync_state) FROM pg_stat_replication")
        return state in ("sync", "quorum")


def _name(server: Server) -> str:
    return f"postgresql-{server.name}"


def _tell(server: Server, statement: LiteralString) -> object:
    """Carry a statement out as the server's administrator; return the first value, if any."""
    url = server.url(_ADMINISTRATOR, "postgres")
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None
