"""The pieces of an order as a broker makes them, of our own keys and a log of our own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.entry import build_person_entry, derive_commit, derive_leaf_hash
from datwat.protocol.jws import sign_object
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.merkle import build_consistency_proof, build_inclusion_proof, derive_root
from datwat.protocol.order import derive_about
from datwat.protocol.signing import build_message
from datwat.protocol.values import encode_bytes, encode_moment

BROKER = "00000099000000000001:broker"
OWN = "00000099000000002000:debt-counselling"
OTHER = "00000099000000003000:youth-help"
REQUESTER = "00000099000000001000:social-team"
HOLDER = "00000099000000000002:key-holder"
ORIGIN = "broker.example/log/1"
BSN = "999993653"
OTHER_BSN = "999990019"
INVOLVEMENT = b"involvement-0001"
FIELDS = ("regeling.status", "totaal_schuld")
DIGEST = "0" * 64
KEYS = {
    name: SigningKey.from_seed(hashlib.sha256(name.encode()).digest())
    for name in ("covenant", "policy", "stranger", BROKER, OWN, OTHER, REQUESTER)
}
REPLY = ExchangeKey.from_seed(b"\x07" * 32)
_LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)


class LogStub:
    """A log of our own making: the same tree, the same signatures."""

    def __init__(self, prefix: int = 3) -> None:
        self.leaves = [hashlib.sha256(bytes([n])).digest() for n in range(prefix)]
        self.signer = CheckpointSigner(ORIGIN, _LOG_KEY)

    def fork(self, size: int) -> LogStub:
        other = LogStub()
        other.leaves = [*self.leaves[:size], hashlib.sha256(b"another").digest()]
        return other

    def add(self, core: bytes, payload_hash: bytes, tag: bytes) -> int:
        entry = build_person_entry(tag, derive_commit(core, payload_hash))
        self.leaves.append(derive_leaf_hash(entry))
        return len(self.leaves) - 1

    def grow(self, count: int = 1) -> None:
        for _ in range(count):
            self.leaves.append(hashlib.sha256(b"more" + bytes([len(self.leaves) % 256])).digest())

    def node(self, level: int, index: int) -> bytes:
        return derive_root(self.leaves[index << level : (index + 1) << level])

    def note(self, size: int | None = None) -> str:
        size = len(self.leaves) if size is None else size
        return self.signer.sign(size, derive_root(self.leaves[:size]))

    def receipt(self, index: int, size: int | None = None) -> dict[str, Any]:
        path = build_inclusion_proof(self.node, index, size or len(self.leaves))
        return {"index": index, "path": [encode_bytes(step) for step in path]}

    def consistency(self, first: int, second: int | None = None) -> dict[str, Any]:
        second = len(self.leaves) if second is None else second
        path = build_consistency_proof(self.node, first, second) if 0 < first <= second else []
        return {
            "from_size": first,
            "to_size": second,
            "path": [encode_bytes(step) for step in path],
        }


@dataclass
class Order:
    """The pieces of an order, each of which a test may change before it is sent."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    rid: bytes = b"r" * 16
    request: dict[str, Any] = field(default_factory=dict)
    request_key: str = REQUESTER
    core: dict[str, Any] = field(default_factory=dict)
    order: dict[str, Any] = field(default_factory=dict)
    order_key: str = BROKER
    payload: bytes = b"payload"
    tag: bytes = b"t" * 32
    involvement: bytes = INVOLVEMENT

    @property
    def request_object(self) -> bytes:
        members = {
            "v": 1,
            "type": "release",
            "iss": REQUESTER,
            "aud": BROKER,
            "iat": encode_moment(self.now),
            "rid": encode_bytes(self.rid),
            "has_statement": False,
            "has_ticket": False,
            "parts": [],
            "purpose": {"id": "help", "digest": DIGEST},
            "source": OWN,
            "product": "schuldregeling",
            "fields": [*FIELDS, "krediteur"],
            "reply_key": encode_bytes(REPLY.public.raw),
        }
        return encode_canonical({**members, **self.request})

    @property
    def core_bytes(self) -> bytes:
        members = {
            "v": 1,
            "type": "release",
            "iat": encode_moment(self.now),
            "request_hash": encode_bytes(hashlib.sha256(self.request_object).digest()),
            "about": encode_bytes(derive_about(self.rid, INVOLVEMENT)),
            "legal_basis": {"giver_article": "a", "taker_article": "b", "mode": "may"},
            "fields": list(FIELDS),
            "revision": "r1",
            "notice": "now",
        }
        return encode_canonical({**members, **self.core})

    @property
    def payload_hash(self) -> bytes:
        return hashlib.sha256(self.payload).digest()

    def message(self, **changes: object) -> bytes:
        signed = sign_object(self.request_object, KEYS[self.request_key])
        members = {
            "v": 1,
            "type": "order",
            "iss": BROKER,
            "aud": OWN,
            "iat": encode_moment(self.now),
            "rid": encode_bytes(self.rid),
            "has_statement": False,
            "has_ticket": False,
            "request_object": encode_bytes(self.request_object),
            "request_protected": encode_bytes(signed.protected),
            "request_signature": encode_bytes(signed.signature),
            "core": encode_bytes(self.core_bytes),
            "payload_hash": encode_bytes(self.payload_hash),
            "tag": encode_bytes(self.tag),
        }
        members = {**members, **self.order, **changes}
        return build_message(members, (), KEYS[self.order_key]).to_bytes()

    def log(self, log: LogStub) -> int:
        return log.add(self.core_bytes, self.payload_hash, self.tag)

    def wire(
        self, log: LogStub, index: int, *, held: int = 0, size: int | None = None
    ) -> dict[str, Any]:
        """Return the order as it travels; `held` is what the gateway is thought to hold."""
        size = len(log.leaves) if size is None else size
        first, second = (held, size) if held <= size else (size, held)
        return {
            "v": 1,
            "message": encode_bytes(self.message()),
            "involvement": encode_bytes(self.involvement),
            "receipt": log.receipt(index, size),
            "checkpoint": log.note(size),
            "consistency": log.consistency(first, second),
            "cosigned": log.note(size),
        }


def catalogue(*, fields: tuple[str, ...] = (*FIELDS, "krediteur")) -> dict[str, Any]:
    word = {"nl": "woord", "en": "word"}
    edge = {
        "source": "debt-counselling",
        "requester": "social-team",
        "product": "schuldregeling",
        "giver_article": "a",
        "taker_article": "b",
        "mode": "may",
        "fields": [{"field": name, "why": word} for name in FIELDS],
    }
    purpose = {
        "id": "help",
        "digest": DIGEST,
        "title": word,
        "sentence": word,
        "domain": "care",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": None,
        "until_at": None,
        "legal_check": "open",
        "edges": [edge],
    }
    product = {
        "id": "schuldregeling",
        "digest": "1" * 64,
        "title": word,
        "sources": ["debt-counselling"],
        "fields": [{"field": name, "title": word, "labels": []} for name in fields],
    }
    return {
        "purposes": {"help": {"id": "help", "revisions": [purpose]}},
        "products": {"schuldregeling": product},
        "kinds": {"debt_counselling": {"functions": ["debt-counselling"], "expires_days": 730}},
    }
