"""A small covenant for the gateway's tests: real keys, list, log, bundle, source and database."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, insert
from starlette.applications import Starlette

from broker.policy.bundle import build_archive, sign_archive
from connectors.gateway.gateway import Gateway, build_gateway_operations
from connectors.policy import PolicyKeeper
from connectors.sources.opening import Sources
from connectors.tables import MIGRATIONS, involvements
from datwat.party.database import migrate, open_engine
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import AcceptedList, Directory
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.envelope import EnvelopeObject, OpenedEnvelope, open_envelope
from datwat.protocol.signing import open_message
from datwat.protocol.trust import (
    BrokerEntry,
    BsnRight,
    Covenant,
    Epoch,
    KeyHolderEntry,
    LogEntry,
    Partner,
    PolicyKeys,
    PublicJwk,
    TrustList,
)
from tests.databases import find_own_url
from tests.party.web import OutOfAnyLoop
from tests.protocol.order_world import (
    BROKER,
    BSN,
    FIELDS,
    HOLDER,
    INVOLVEMENT,
    KEYS,
    ORIGIN,
    OTHER,
    OWN,
    REPLY,
    REQUESTER,
    LogStub,
    Order,
    catalogue,
)

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
    query: SELECT klantnr, bsn, st, bedrag, krediteur, dd FROM dossiers WHERE klantnr = :number
    number: klantnr
    bsn: bsn
    newest_by: {{read: dd, type: date, format: "%d-%m-%Y"}}
    fields:
      regeling.status: {{read: st, codes: {{1: lopend, 9: beëindigd}}}}
      totaal_schuld: {{read: bedrag, bands: [{{below: 5000, band: tot 5.000}}, {{band: meer}}]}}
"""
_SCHEMA = """
CREATE TABLE klanten (klantnr TEXT, bsn TEXT, naam TEXT, geb TEXT, soort TEXT, vanaf TEXT);
CREATE TABLE dossiers (klantnr TEXT, bsn TEXT, st INTEGER, bedrag INTEGER, krediteur TEXT, dd TEXT);
"""


def jwk(name: str) -> PublicJwk:
    return PublicJwk(kty="OKP", crv="Ed25519", x=KEYS[name].public.raw)


def partner(party_id: str, **changes: object) -> Partner:
    members: dict[str, Any] = {
        "id": party_id,
        "name": party_id.partition(":")[2],
        "domain": "debt",
        "covenant_until": datetime.now(UTC) + timedelta(days=30),
        "keys": (jwk(party_id),),
        "gateway_url": "http://127.0.0.1:1",
        "bsn_rights": (BsnRight(law="Wgs", whose="resident", uses=("register", "inquire")),),
        "contact": "Balie",
        "profile": "Een partner",
    }
    return Partner.model_validate({**members, **changes})


def build_trust(**changes: object) -> TrustList:
    members: dict[str, Any] = {
        "v": 1,
        "seq": 1,
        "valid_until": datetime.now(UTC) + timedelta(days=30),
        "covenant": Covenant(threshold=1, keys=(jwk("covenant"),)),
        "partners": (partner(OWN), partner(OTHER), partner(REQUESTER)),
        "broker": BrokerEntry(
            id=BROKER, name="b", keys=(jwk(BROKER),), x25519=(bytes(32),), url="http://127.0.0.1:1"
        ),
        "key_holder": KeyHolderEntry(
            id=HOLDER,
            name="k",
            x25519=(bytes(32),),
            url="http://127.0.0.1:1",
            epochs=(Epoch(epoch=1, pk=bytes(32)),),
        ),
        "policy": PolicyKeys(threshold=1, keys=(jwk("policy"),)),
        "log": LogEntry(origin=ORIGIN, vkeys=(LogStub().signer.vkey,)),
        "witness_threshold": 0,
    }
    return TrustList.model_validate({**members, **changes})


def build_signed_bundle(
    folder: Path, data: Mapping[str, Any], *, seq: int = 1
) -> tuple[bytes, bytes]:
    rego = folder / "rego"
    rego.mkdir(parents=True, exist_ok=True)
    (rego / "ask.rego").write_text("package datwat.ask\n", encoding="utf-8")
    archive = build_archive(rego, data, {"nl": {}})
    return archive, sign_archive(archive, [KEYS["policy"]], seq=seq).to_bytes()


class World:
    """A gateway on a migrated database, with a partner's SQLite system behind it."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.url = database_url or find_own_url(folder)
        self.system = folder / "system" / "schuld.db"
        self.log = LogStub()
        self.set_trust(build_trust())
        self.withheld = folder / "withheld.yaml"
        self._write_system()
        self._write_bundle()
        self.engine = self.open_engine()
        with self.engine.begin() as connection:
            connection.execute(
                insert(involvements).values(
                    client=CLIENT, kind="debt_counselling", reference=INVOLVEMENT, confirmed_at=0
                )
            )
        self.open()

    def set_trust(self, trust: TrustList, closed: frozenset[str] = frozenset()) -> None:
        self.directory = Directory(AcceptedList(b"", bytes(32), trust), closed)

    def open(self) -> None:
        """Start the gateway (again): only what is durable is known."""
        self.ratchet = Ratchet.open(self.folder / "ratchet")
        self.policy = PolicyKeeper(
            self.folder, lambda: self.directory, self.ratchet, OutOfAnyLoop()
        )
        self.policy.load()
        self.sources = Sources.load(self.folder, [self.folder / "source.yaml"])
        self.gateway = Gateway.build(
            own=OWN,
            key=KEYS[OWN],
            directory=lambda: self.directory,
            policy=self.policy,
            engine=self.engine,
            ratchet=self.ratchet,
            sources=self.sources,
            withheld=self.withheld if self.withheld.exists() else None,
        )
        self.app: Starlette = build_app(
            ApiInfo(title="gateway", description="A gateway."),
            build_gateway_operations(self.gateway),
            limits=Limits(),
        )

    def close(self) -> None:
        self.sources.close()
        self.ratchet.close()
        self.engine.dispose()

    def restart(self) -> None:
        self.close()
        self.engine = self.open_engine()
        self.open()

    def write_declaration(self, text: str) -> None:
        (self.folder / "source.yaml").write_text(text, encoding="utf-8")

    def run(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        with sqlite3.connect(self.system) as connection:
            for statement, values in statements:
                connection.execute(statement, values)
        connection.close()

    async def send(self, path: str, body: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post(
                path, content=body, headers={"Content-Type": "application/json"}
            )

    async def post(self, wire: Mapping[str, Any]) -> httpx.Response:
        return await self.send("/v1/orders", encode_canonical(dict(wire)))

    async def order(self, order: Order, **changes: object) -> httpx.Response:
        """Write the order's core down and send it, proved from what this gateway holds."""
        index = order.log(self.log)
        newest = self.gateway.memory.find_newest(ORIGIN)
        held = newest.size if newest else 0
        return await self.post({**order.wire(self.log, index, held=held), **changes})

    def open_engine(self) -> Engine:
        engine = open_engine(self.url)
        migrate(engine, MIGRATIONS)
        return engine

    def _write_system(self) -> None:
        self.system.parent.mkdir(parents=True)
        with sqlite3.connect(self.system) as connection:
            connection.executescript(_SCHEMA)
        connection.close()
        self.run(
            (
                "INSERT INTO klanten VALUES (?,?,?,?,?,?)",
                (CLIENT, BSN, "de Vries", "01-02-1980", "SH", "20250301"),
            ),
            (
                "INSERT INTO dossiers VALUES (?,?,?,?,?,?)",
                (CLIENT, BSN, 1, 4_200, "Bank X", "03-04-2026"),
            ),
        )
        self.write_declaration(DECLARATION.format(path=self.system))

    def _write_bundle(self) -> None:
        archive, signature = build_signed_bundle(self.folder, catalogue())
        (self.folder / "policy").mkdir(exist_ok=True)
        (self.folder / "policy" / "bundle.tar.gz").write_bytes(archive)
        (self.folder / "policy" / "signature.json").write_bytes(signature)


def open_answer(answer: bytes, order: Order, paths: tuple[str, ...] = FIELDS) -> OpenedEnvelope:
    """Open what the source sealed, as the requester would."""
    opened = open_message(answer, {KEYS[OWN].kid: KEYS[OWN].public})
    body = EnvelopeObject.model_validate_json(opened.object_bytes)
    return open_envelope(body, REPLY, hashlib.sha256(order.core_bytes).digest(), paths)
