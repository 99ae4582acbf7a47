"""A source's real gateway beside the broker: over HTTP, before an SQLite system of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import uvicorn
from sqlalchemy import Engine, insert

from connectors.gateway.gateway import Gateway, build_gateway_operations
from connectors.policy import PolicyKeeper
from connectors.sources.opening import Sources
from connectors.tables import MIGRATIONS, involvements
from datwat.party.database import migrate, open_engine
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import Directory
from demo.covenant import find_ports
from tests.databases import find_own_url
from tests.exchange.world import Running
from tests.party.web import OutOfAnyLoop

CLIENT = "K-17"
DECLARATION = """
v: 1
source: sql
url: sqlite:///{path}
clients:
  query: SELECT klantnr, bsn, naam, geb, soort, vanaf FROM klanten
  number: klantnr
  bsn: bsn
  family_name: naam
  birth_date: {{read: geb, type: date, format: "%d-%m-%Y"}}
  kind: {{read: soort, codes: {{SH: debt_counselling}}}}
  contact: {{role: Balie schuldhulp, phone: "010-0000000"}}
  since: {{read: vanaf, type: date, format: "%Y%m%d"}}
products:
  schuldregeling:
    query: SELECT klantnr, bsn, st, srt FROM dossiers WHERE klantnr = :number
    number: klantnr
    bsn: bsn
    fields:
      regeling.status: {{read: st, codes: {{1: lopend, 9: beëindigd}}}}
      regeling.soort: {{read: srt}}
"""


def free_port() -> int:
    """Return a port that no outgoing connection is given: it is still free when it is used."""
    (port,) = find_ports(1)
    return port


class Source:
    """What a partner's gateway has behind it: that of the debt counsellors, or of another."""

    def __init__(
        self,
        folder: Path,
        running: Running,
        bsn: str,
        reference: bytes,
        function: str = "debt-counselling",
    ) -> None:
        self.folder = folder
        self._running = running
        self._function = function
        folder.mkdir(parents=True, exist_ok=True)
        self._write_system(bsn)
        self.engine = self._open_engine()
        migrate(self.engine, MIGRATIONS)
        with self.engine.begin() as connection:
            row = {"client": CLIENT, "kind": "debt_counselling", "reference": reference}
            connection.execute(insert(involvements).values(**row, confirmed_at=0))

    def _open_engine(self) -> Engine:
        return open_engine(find_own_url(self.folder))

    def reopen(self) -> Self:
        """Return this source after a restart: only what is durable is known."""
        self.engine = self._open_engine()
        return self

    def _write_system(self, bsn: str) -> None:
        path = self.folder / "schuld.db"
        with sqlite3.connect(path) as connection:
            connection.executescript(
                "CREATE TABLE klanten (klantnr, bsn, naam, geb, soort, vanaf);"
                "CREATE TABLE dossiers (klantnr, bsn, st INTEGER, srt);"
            )
            connection.execute(
                "INSERT INTO klanten VALUES (?,?,'de Vries','01-02-1980','SH','20250301')",
                (CLIENT, bsn),
            )
            connection.execute("INSERT INTO dossiers VALUES (?,?,1,'minnelijk')", (CLIENT, bsn))
        connection.close()
        (self.folder / "source.yaml").write_text(DECLARATION.format(path=path), encoding="utf-8")

    def build(self) -> Gateway:
        policy = self._running.broker.policy.files
        (self.folder / "policy").mkdir(exist_ok=True)
        (self.folder / "policy" / "bundle.tar.gz").write_bytes(policy.archive)
        (self.folder / "policy" / "signature.json").write_bytes(policy.document)
        self.ratchet = Ratchet.open(self.folder / "ratchet")
        keeper = PolicyKeeper(self.folder, self.read_directory, self.ratchet, OutOfAnyLoop())
        keeper.load()
        self.sources = Sources.load(self.folder, [self.folder / "source.yaml"])
        member = self._running.world.members[self._function]
        return Gateway.build(
            own=member.id,
            key=member.key,
            directory=self.read_directory,
            policy=keeper,
            engine=self.engine,
            ratchet=self.ratchet,
            sources=self.sources,
        )

    def read_directory(self) -> Directory:
        return self._running.broker.keeper.directory

    def close(self) -> None:
        self.sources.close()
        self.ratchet.close()
        self.engine.dispose()


class _Server(uvicorn.Server):
    """A server in the test's own loop, which leaves the signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_source(source: Source, port: int) -> AsyncIterator[Gateway]:
    """Serve the gateway on its port for as long as the block runs."""
    gateway = source.build()
    info = ApiInfo(title="gateway", description="A gateway.")
    app = build_app(info, build_gateway_operations(gateway), limits=Limits())
    async with serve_app(app, port):
        yield gateway
    source.close()


@asynccontextmanager
async def serve_app(app: object, port: int) -> AsyncIterator[None]:
    """Serve any app on a port for as long as the block runs."""
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off")  # type: ignore[arg-type]
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task
