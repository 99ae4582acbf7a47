"""Every signed object, made by the code that makes it, in one covenant.

A key holder on its own database, the broker's admission, a gateway with its source, a client, and
the documents of covenant and policy officers; `matrix_readers.py` has everyone who reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pydantic import BaseModel

from broker.api.routes import Api
from broker.exchange.admission import RateLimiter
from broker.exchange.members import MEMBERS
from broker.exchange.outbox import build_relayed
from broker.policy.bundle import build_archive, sign_archive
from connectors.client.lookup import build_blinded, read_lookup
from connectors.client.outgoing import (
    ROUTES,
    Draft,
    Lookup,
    Person,
    Sent,
    build_envelope_members,
    build_sent,
    draw_rid,
    find_class,
)
from datwat.party.database import migrate, open_engine
from datwat.party.trust_list import Directory, accept_first
from datwat.protocol.canonical import decode_strict, encode_canonical
from datwat.protocol.deliveries import ContactDelivery, EndedNotice, OpenedCore, OpenedNotice
from datwat.protocol.documents import sign_document
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.trust import BrokerEntry, BsnRight, KeyHolderEntry, PublicJwk, TrustList
from datwat.protocol.values import decode_bytes, encode_bytes
from keyholder import quotas
from keyholder.evaluation import Evaluator
from keyholder.rotating import Rotations
from keyholder.secrets import create_secrets
from keyholder.settings import KeyHolderSettings
from keyholder.tables import MIGRATIONS
from tests.connectors.gateway.world import World, build_trust, jwk, partner
from tests.databases import find_own_url
from tests.protocol.act_samples import PERSON, STATEMENT, build_person_members, build_statement
from tests.protocol.order_world import (
    BROKER,
    BSN,
    DIGEST,
    FIELDS,
    HOLDER,
    INVOLVEMENT,
    KEYS,
    ORIGIN,
    OWN,
    REPLY,
    REQUESTER,
    Order,
    catalogue,
)

PORTAL = "00000099000000004000:portal"
PORTAL_KEY = SigningKey.from_seed(hashlib.sha256(b"portal").digest())
PORTAL_ACTS = frozenset(
    {
        "open_session", "end_session", "access_log", "access_log_proof", "own_involvements",
        "own_wishes", "wish",
    }
)  # fmt: skip
NOTICES = ("opened", "annulled", "ended")
MESSAGES = ("evaluate", "rotation", *ROUTES, "envelope", "contact_request", *NOTICES)
OBJECTS = (*MESSAGES, "order", "trust_list", "bundle", "checkpoint")
HANDLE = b"handle-123456789"
_LOOKED_UP = frozenset({"register", "inquire", "open_session"})
_PURPOSE = {"id": "help", "digest": DIGEST}
_EXTRA: Mapping[str, dict[str, Any]] = {
    "introduce": {"to": OWN},
    "own_figures": {"month": "2026-02"},
    "inquire": {"purpose": _PURPOSE, "rung": "dat"},
    "request_contact": {"purpose": _PURPOSE, "source": OWN},
    "release": {
        "purpose": _PURPOSE,
        "source": OWN,
        "product": "schuldregeling",
        "fields": list(FIELDS),
        "reply_key": encode_bytes(REPLY.public.raw),
    },
}


def moment() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Signed:
    """An object as its maker signs it: members and parts apart, so that a test may break one."""

    members: dict[str, Any]
    parts: tuple[bytes, ...] = field(repr=False)
    key: SigningKey
    wire: bytes = field(repr=False)

    def sign(self, key: SigningKey | None = None, **changes: object) -> bytes:
        """Return the message signed again, by another key or with other members."""
        return build_message({**self.members, **changes}, self.parts, key or self.key).to_bytes()


def take_apart(wire: bytes, key: SigningKey) -> Signed:
    message = SignedMessage.from_bytes(wire)
    members = decode_strict(message.object)
    return Signed(members, message.parts, key, wire)


class Matrix:
    """All parties; `make` gives a fresh valid object by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        holder, gateway = folder / "key-holder", folder / "gateway"
        holder.mkdir()
        gateway.mkdir()
        secrets = create_secrets(holder)
        settings = KeyHolderSettings(
            home=holder, id=HOLDER, name="Key holder", url="http://127.0.0.1:1"
        )
        broker_key = ExchangeKey.generate()
        self.trust = _build_covenant(
            KeyHolderEntry(
                id=HOLDER,
                name="Key holder",
                x25519=(secrets.exchange.public.raw,),
                url="http://127.0.0.1:1",
                epochs=secrets.epochs,
            ),
            broker_key.public.raw,
        )
        self.held = accept_first(*_sign_list(self.trust))
        self.gateway = World(gateway)
        self.gateway.set_trust(self.trust)
        self.engine = open_engine(find_own_url(holder))
        migrate(self.engine, MIGRATIONS)
        with self.engine.begin() as connection:
            for party in (REQUESTER, PORTAL, OWN):
                quotas.open_partner(connection, party, 0, moment())
        limits = dict.fromkeys(("register", "inquire", "self"), 10_000)
        self.rotations = Rotations(settings, self.engine, moment())
        self.evaluator = Evaluator(HOLDER, self.engine, self.rotations, limits)
        self.archive = build_archive(gateway / "rego", catalogue(), {"nl": {}})
        # What admission needs of a running broker: the time, the list and the limits.
        rooms = SimpleNamespace(clock=moment, trust=SimpleNamespace(directory=self.directory))
        limiter = RateLimiter(10_000, 10_000)
        api = SimpleNamespace(rooms=rooms, party=BROKER, limiter=limiter, restored_at=0)
        self.api = cast("Api", api)
        self.ordered: tuple[Sent, Order] | None = None

    @property
    def directory(self) -> Directory:
        return self.gateway.directory

    def close(self) -> None:
        self.evaluator.close()
        self.engine.dispose()
        self.gateway.close()

    async def make(self, name: str) -> bytes:
        """Return a valid object's wire form."""
        if name in ROUTES:
            return (await self.make_act(name)).wire
        match name:
            case "evaluate":
                wire = self.make_evaluate("inquire", draw_rid(), REQUESTER, [BSN])[0].wire
            case "rotation":
                members = build_envelope_members(name, BROKER, HOLDER, moment(), draw_rid())
                without = {"has_statement": False, "has_ticket": False, "progress": None}
                wire = build_message({**members, **without}, (), KEYS[BROKER]).to_bytes()
            case "order":
                _, wire, _ = await self.make_order()
            case "envelope":
                wire = await self.make_envelope()
            case "trust_list":
                wire, _ = _sign_list(self.trust.model_copy(update={"seq": 2}))
            case "bundle":
                wire = sign_archive(self.archive, [KEYS["policy"]], seq=2).to_bytes()
            case "checkpoint":
                wire = self.gateway.log.note().encode()
            case _:
                wire = self.make_relayed(name)
        return wire

    async def make_message(self, name: str) -> Signed:
        """Return a valid message, taken apart."""
        return take_apart(await self.make(name), self.find_key(name))

    @staticmethod
    def find_key(name: str) -> SigningKey:
        """Return the key of the one who signs this kind of message."""
        if name in PORTAL_ACTS:
            return PORTAL_KEY
        owner = OWN if name == "envelope" else REQUESTER
        return KEYS[BROKER if name in ("rotation", "contact_request", *NOTICES) else owner]

    async def make_act(self, act: str, **extra: object) -> Sent:
        """Return an act with every member that belongs to it."""
        sender = PORTAL if act in PORTAL_ACTS else REQUESTER
        members, rid = MEMBERS[act], draw_rid()
        told = build_person_members(PERSON.keys() & members.person)
        looked_up = act in _LOOKED_UP
        who: dict[str, Any] = {"bsn": BSN} if looked_up else {"handle": HANDLE}
        names = STATEMENT.keys() & members.statement
        draft = Draft(
            act,
            [Person(**who, members=told)] if members.persons else [],
            build_statement(names) if members.has_statement else None,
            {**_EXTRA.get(act, {}), **extra},
        )
        return build_sent(
            draft,
            await self.look_up(act, rid, sender) if looked_up else None,
            envelope=build_envelope_members(act, sender, BROKER, moment(), rid),
            rid=rid,
            key=PORTAL_KEY if sender == PORTAL else KEYS[sender],
        )

    def make_evaluate(
        self, act: str, for_rid: bytes, sender: str, bsns: list[str]
    ) -> tuple[Signed, Any]:
        blinded = build_blinded(act, for_rid, bsns)
        members = {
            **build_envelope_members("evaluate", sender, HOLDER, moment(), draw_rid()),
            "request_class": find_class(act),
            "for_rid": encode_bytes(for_rid),
            "elements": [encode_bytes(element) for element in blinded.elements],
            "has_statement": False,
            "has_ticket": False,
        }
        key = PORTAL_KEY if sender == PORTAL else KEYS[sender]
        wire = build_message(members, (), key).to_bytes()
        return Signed(members, (), key, wire), blinded

    async def look_up(self, act: str, rid: bytes, sender: str) -> Lookup:
        signed, blinded = self.make_evaluate(act, rid, sender, [BSN])
        answer = await self.evaluator.answer(signed.wire, self.directory, moment())
        return read_lookup(
            answer,
            blinded,
            rid=_rid(signed.members),
            partner=sender,
            epochs=self.trust.key_holder.epochs,
        )

    async def make_order(self, **changes: Any) -> tuple[Sent, bytes, Order]:  # noqa: ANN401
        """Return the request of an order, the order as it travels, and its pieces."""
        sent = await self.make_act("release")
        order = Order(now=moment(), rid=sent.rid, request=json.loads(sent.object_bytes))
        for name, value in changes.items():
            setattr(order, name, value)
        index = order.log(self.gateway.log)
        newest = self.gateway.gateway.memory.find_newest(ORIGIN)
        wire = order.wire(self.gateway.log, index, held=newest.size if newest else 0)
        return sent, encode_canonical(wire), order

    async def make_envelope(self) -> bytes:
        """Return what the gateway answers to an order, and keep what was asked and ordered."""
        sent, wire, order = await self.make_order()
        response = await self.gateway.send("/v1/orders", wire)
        assert response.status_code == 200, response.text
        self.ordered = sent, order
        return response.content

    def make_relayed(self, kind: str) -> bytes:
        """Return what the broker tells a gateway beside orders."""
        content: BaseModel
        now = moment()
        if kind == "contact_request":
            content = ContactDelivery(
                contact_request=PERSON["contact_request"],
                involvement=INVOLVEMENT,
                requester=REQUESTER,
                call_back=STATEMENT["call_back"],
                asked_at=now,
                due_at=now + timedelta(days=5),
                until_at=now + timedelta(days=30),
            )
        elif kind == "opened":
            content = self._build_opened()
        else:
            content = EndedNotice(
                kind="occasion", reference=b"reference-" + b"1" * 6, reason=kind, ended_at=now
            )
        return build_relayed(kind, BROKER, OWN, content, now, key=KEYS[BROKER])

    def _build_opened(self) -> OpenedNotice:
        core = OpenedCore(v=1, type="opened", index=0, commit=bytes(32))
        raw = encode_canonical(core.model_dump(mode="json"))
        log = self.gateway.log
        index = log.add(raw, bytes(32), bytes(32))
        receipt = ReceiptPath.model_validate_json(encode_canonical(log.receipt(index)))
        return OpenedNotice(
            core=raw,
            payload_hash=bytes(32),
            tag=bytes(32),
            receipt=receipt,
            checkpoint=log.note(),
        )


def _build_covenant(holder: KeyHolderEntry, broker_exchange: bytes) -> TrustList:
    portal_key = PublicJwk(kty="OKP", crv="Ed25519", x=PORTAL_KEY.public.raw)
    right = BsnRight(law="Wabb", whose="resident", uses=("self",))
    portal = partner(
        OWN, id=PORTAL, name="Portal", keys=(portal_key,), gateway_url=None, bsn_rights=(right,)
    )
    return build_trust(
        partners=(partner(OWN), partner(REQUESTER), portal),
        key_holder=holder,
        broker=BrokerEntry(
            id=BROKER,
            name="Broker",
            keys=(jwk(BROKER),),
            x25519=(broker_exchange,),
            url="http://127.0.0.1:1",
        ),
    )


def _sign_list(trust: TrustList) -> tuple[bytes, bytes]:
    payload = encode_canonical(trust.model_dump(mode="json"))
    document = sign_document(payload, [KEYS["covenant"]]).to_bytes()
    return document, hashlib.sha256(payload).digest()


def _rid(members: Mapping[str, Any]) -> bytes:
    return decode_bytes(members["rid"])
