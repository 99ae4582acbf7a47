"""The inputs of the golden vectors in `test_exchange_vectors.py`: fixed, never random."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import LogEntry
from datwat.protocol.values import encode_bytes

Members = dict[str, Any]
IAT = "2026-03-01T12:00:00Z"
NOW = datetime.fromisoformat(IAT)
BROKER = "00000009876543210000:broker"
HOLDER = "00000009876543211000:key-holder"
SOURCE = "00000001234567892000:debt-counselling"
PARTNER = "00000001234567890000:social-team"
SEEDS = {"broker": "01" * 32, "partner": "02" * 32, "log": "03" * 32}
LOG_ORIGIN = "log.example/log/1"
RID = encode_bytes(b"r" * 16)


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def b64(byte: str, size: int) -> str:
    return encode_bytes(raw(byte) * size)


def key(inputs: Members, name: str) -> SigningKey:
    return SigningKey.from_seed(raw(inputs["ed25519_seeds"][name]))


def jwk(seed: str) -> Members:
    return dict(SigningKey.from_seed(raw(seed)).public.to_jwk())


def build_signer(inputs: Members) -> CheckpointSigner:
    private = Ed25519PrivateKey.from_private_bytes(raw(inputs["ed25519_seeds"]["log"]))
    return CheckpointSigner(inputs["log_origin"], private)


def pinned(inputs: Members) -> LogEntry:
    return LogEntry(origin=inputs["log_origin"], vkeys=(build_signer(inputs).vkey,))


_LOG = {
    "ed25519_seeds": SEEDS,
    "log_origin": LOG_ORIGIN,
    "leaves_before": [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)],
}
_MESSAGE = {"v": 1, "iss": PARTNER, "aud": BROKER, "iat": IAT, "rid": RID}
_PURPOSE = {"id": "debt_counselling", "digest": "a" * 64}
_REQUEST = {
    **_MESSAGE,
    "type": "release",
    "has_statement": True,
    "has_ticket": False,
    "parts": [b64("0b", 32), b64("0c", 32)],
    "purpose": _PURPOSE,
    "source": SOURCE,
    "product": "schuldregeling",
    "fields": ["regeling.status", "totaal_schuld"],
    "reply_key": b64("09", 32),
}
_RELAYED = {
    **_MESSAGE,
    "iss": BROKER,
    "aud": SOURCE,
    "has_statement": False,
    "has_ticket": False,
}
_ENDED = {"kind": "occasion", "reference": b64("0e", 16), "reason": "closed", "ended_at": IAT}
_EXCHANGE = b64("05", 32)
_URL = "https://broker.example"
_POLICY_JWK, _COVENANT = jwk("06" * 32), [jwk("07" * 32), jwk("08" * 32)]
_PARTNER_ENTRY = {
    "id": PARTNER,
    "name": "Wijkteam",
    "domain": "care",
    "enforcement": False,
    "covenant_until": "2027-01-01T00:00:00Z",
    "keys": [jwk(SEEDS["partner"])],
    "gateway_url": None,
    "bsn_rights": [{"law": "Wmo 2015", "whose": "resident", "uses": ["register", "inquire"]}],
    "contact": "010 000 0000",
    "profile": "Helpt gezinnen.",
}
_BROKER_ENTRY = {
    "id": BROKER,
    "name": "Makelaar",
    "keys": [jwk(SEEDS["broker"])],
    "x25519": [_EXCHANGE],
    "url": _URL,
}
_LOG_ENTRY = {"origin": LOG_ORIGIN, "vkeys": list(pinned(_LOG).vkeys)}
_HOLDER_ENTRY = {
    "id": HOLDER,
    "name": "Sleutelhouder",
    "x25519": [_EXCHANGE],
    "url": "https://key-holder.example",
    "epochs": [{"epoch": 1, "pk": b64("0a", 32)}],
}
_WEIGHING = {
    "permitted": True,
    "rung": "dat",
    "open_rung": "dat",
    "findings": [
        {
            "blade": "purpose",
            "code": "purpose_in_force",
            "satisfied": True,
            "params": {"purpose": "debt_counselling"},
        }
    ],
    "remedies": [],
    "alternatives": [],
    "obligations": [{"code": "tell_resident", "params": {}}],
}
INPUTS: dict[str, Members] = {
    "order": {
        **_LOG,
        "request": _REQUEST,
        "order": {**_RELAYED, "type": "order"},
        "core": {
            "v": 1,
            "type": "release",
            "iat": IAT,
            "legal_basis": {
                "giver_article": "Wgs 8",
                "taker_article": "Wgs 4a",
                "mode": "may",
            },
            "fields": ["regeling.status"],
            "revision": "b" * 64,
            "notice": "now",
        },
        "payload_hash": "0d" * 32,
        "tag": "0e" * 32,
        "involvement": "0f" * 16,
    },
    "deliveries": {
        **_LOG,
        "members": _RELAYED,
        "salt": "0b" * 16,
        "opened": {
            "index": 1,
            "commit": "0c" * 32,
            "at": IAT,
            "payload_hash": "0d" * 32,
            "tag": "0e" * 32,
        },
        "contents": {
            "contact_request": {
                "contact_request": b64("0c", 16),
                "involvement": b64("0d", 16),
                "requester": PARTNER,
                "call_back": {"role": "Regisseur", "phone": "010 000 0000"},
                "asked_at": IAT,
                "due_at": "2026-03-06T12:00:00Z",
                "until_at": "2026-03-31T12:00:00Z",
            },
            "annulled": {**_ENDED, "kind": "involvement", "reason": "wrong_person"},
            "ended": _ENDED,
        },
    },
    "trust-list": {
        "covenant_seeds": ["07" * 32, "08" * 32],
        "list": {
            "v": 1,
            "seq": 1,
            "valid_until": "2026-06-01T00:00:00Z",
            "covenant": {"threshold": 2, "keys": _COVENANT},
            "partners": [_PARTNER_ENTRY],
            "broker": _BROKER_ENTRY,
            "key_holder": _HOLDER_ENTRY,
            "policy": {"threshold": 1, "keys": [_POLICY_JWK]},
            "log": _LOG_ENTRY,
            "witnesses": [],
            "witness_threshold": 0,
        },
    },
    "card": {
        "cards": {
            "partner": {"v": 1, "role": "partner", "partner": _PARTNER_ENTRY},
            "broker": {"v": 1, "role": "broker", "broker": _BROKER_ENTRY, "log": _LOG_ENTRY},
            "key_holder": {"v": 1, "role": "key_holder", "key_holder": _HOLDER_ENTRY},
            "policy": {"v": 1, "role": "policy", "policy_keys": [_POLICY_JWK]},
        }
    },
    "bundle-statement": {
        "policy_seeds": ["06" * 32],
        "statement": {
            "v": 1,
            "type": "policy_bundle",
            "bundle_digest": "c" * 64,
            "revision": "d" * 64,
            "seq": 1,
        },
    },
    "answer": {
        **_LOG,
        "members": {
            **_MESSAGE,
            "type": "inquire",
            "has_statement": True,
            "has_ticket": False,
            "purpose": _PURPOSE,
            "rung": "dat",
        },
        "contents": [
            {"professional": {"id": "j.jansen", "role": "regisseur"}},
            {"person": {"by": "handle", "handle": b64("0f", 16)}},
        ],
        "salts": ["0b" * 16, "0c" * 16],
        "part": {
            "type": "inquiry",
            "weighing": _WEIGHING,
            "handle": b64("0f", 16),
            "scope": {
                "domains": ["care", "debt"],
                "partners_asked": 2,
                "as_of": IAT,
                "cannot_see": ["safety"],
            },
            "pointers": [
                {
                    "rung": "dat",
                    "involvement": b64("0d", 16),
                    "contact": {"role": "Balie schuldhulp", "phone": "010 000 0000"},
                    "domain": "debt",
                    "source": SOURCE,
                    "source_name": "Schuldhulp",
                    "kind": "debt_counselling",
                    "since_at": "2025-03-01T00:00:00Z",
                    "as_of": IAT,
                }
            ],
        },
        "size_class": 4_096,
        "revision": "b" * 64,
        "payload_hash": "0d" * 32,
        "tag": "0e" * 32,
    },
    "access-log": {
        **_LOG,
        "rid": RID,
        "core": b'{"v":1}'.hex(),
        "salt": "0b" * 32,
        "tag": "0e" * 32,
        "payload": {
            "v": 1,
            "event": "inquire",
            "at": IAT,
            "rid": RID,
            "requester": {"id": PARTNER, "name": "Wijkteam"},
            "notice": "now",
            "asked": {"role": "regisseur", "purpose": "debt_counselling"},
            "said": {
                "permit": True,
                "rung": "dat",
                "findings": [
                    {
                        "blade": "purpose",
                        "code": "purpose_in_force",
                        "satisfied": True,
                        "params": {},
                    }
                ],
                "revision": "b" * 64,
            },
            "pointers": [
                {
                    "source": {"id": SOURCE, "name": "Schuldhulp"},
                    "kind": "debt_counselling",
                    "rung": "dat",
                }
            ],
        },
    },
}
