"""Golden vectors: the bytes of each format as first published; a change here is a new version.

`tests/vectors/*.json` with `inputs` and `outputs`; each file's `origin` says how it was made: by
this module (run as a program it writes the files anew), from fixed inputs, never from random ones.
Only HPKE's encapsulation is random by definition: its recorded bytes are opened, not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datwat.protocol import blinding, group
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import sign_document
from datwat.protocol.envelope import EnvelopeBody, open_envelope, seal_envelope, subject_matches
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.rotation import Rotation, derive_rotation_key, open_rotation, seal_rotation
from datwat.protocol.sealing import derive_key, seal
from datwat.protocol.signing import build_message, build_part
from datwat.protocol.ticket import (
    TicketHeader,
    TicketUse,
    derive_ticket_key,
    open_ticket,
    seal_ticket,
)

FOLDER = Path(__file__).parent.parent / "vectors"
ORIGIN = (
    "Made by tests/protocol/test_format_vectors.py of this project (its own generator) from the "
    "inputs given here; binary values in hex. "
)
Members = dict[str, Any]


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def make_canonical(inputs: Members) -> Members:
    return {"bytes": [encode_canonical(value).hex() for value in inputs["values"]]}


def make_sealing(inputs: Members) -> Members:
    key = derive_key(raw(inputs["secret"]), raw(inputs["info"]))
    sealed = seal(key, raw(inputs["plaintext"]), raw(inputs["aad"]), nonce=raw(inputs["nonce"]))
    return {"key": key.hex(), "sealed": sealed.hex()}


def make_keys(inputs: Members) -> Members:
    signing = SigningKey.from_seed(raw(inputs["ed25519_seed"]))
    exchange = ExchangeKey.from_seed(raw(inputs["x25519_seed"]))
    return {
        kind: {"jwk": key.public.to_jwk(), "kid": key.kid, "private_jwk_text": key.to_jwk_text()}
        for kind, key in (("ed25519", signing), ("x25519", exchange))
    }


def make_message(inputs: Members) -> Members:
    contents = zip(inputs["contents"], inputs["salts"], strict=True)
    parts = [build_part(raw(content), raw(salt)) for content, salt in contents]
    key = SigningKey.from_seed(raw(inputs["ed25519_seed"]))
    message = build_message(inputs["members"], parts, key)
    return {
        "object": message.object.hex(),
        "protected": message.protected.hex(),
        "wire": message.to_bytes().hex(),
    }


def make_document(inputs: Members) -> Members:
    keys = [SigningKey.from_seed(raw(seed)) for seed in inputs["ed25519_seeds"]]
    return {"wire": sign_document(raw(inputs["payload"]), keys).to_bytes().hex()}


def make_look_up(inputs: Members) -> Members:
    r, alpha = blinding.blind(inputs["bsn"], blind_scalar=raw(inputs["r"]))
    t, secret = raw(inputs["t"]), raw(inputs["s"])
    key = group.multiply_scalars(t, secret)
    public = group.multiply_base(key)
    (beta,), proof = blinding.evaluate_batch(key, public, [alpha], nonce=raw(inputs["nonce"]))
    gamma = blinding.unblind(r, beta)
    return {
        "alpha": alpha.hex(),
        "pk_t": public.hex(),
        "beta": beta.hex(),
        "proof_c": proof.challenge.hex(),
        "proof_s": proof.response.hex(),
        "gamma": gamma.hex(),
        "point": blinding.derive_point(t, gamma).hex(),
        "pk_epoch": group.multiply_base(secret).hex(),
    }


def make_ticket(inputs: Members) -> Members:
    holder = ExchangeKey.from_seed(raw(inputs["holder_seed"]))
    broker = ExchangeKey.from_seed(raw(inputs["broker_seed"]))
    key = derive_ticket_key(holder, holder=holder.public, broker=broker.public)
    t, secret = raw(inputs["t"]), raw(inputs["s"])
    use = TicketUse(inputs["partner"], inputs["class"], raw(inputs["rid"]), inputs["n"])
    iat = datetime.fromisoformat(inputs["iat"])
    header = TicketHeader.build(
        use,
        key=key,
        epoch=inputs["epoch"],
        iat=iat,
        public=group.multiply_base(group.multiply_scalars(t, secret)),
    )
    made = seal_ticket(header, t, key, nonce=raw(inputs["nonce"]))
    epochs = {header.epoch: group.multiply_base(secret)}
    of_broker = derive_ticket_key(broker, holder=holder.public, broker=broker.public)
    keys = {of_broker.kid: of_broker}
    opened = open_ticket(made, keys, use=use, epoch_keys=epochs, now=iat.astimezone(UTC))
    assert opened.header == header
    return {"k_kb": key.secret.hex(), "kid": key.kid, "ticket": made.hex()}


def make_rotation(inputs: Members) -> Members:
    holder = ExchangeKey.from_seed(raw(inputs["holder_seed"]))
    broker = ExchangeKey.from_seed(raw(inputs["broker_seed"]))
    old, new = raw(inputs["s"]), raw(inputs["s_next"])
    delta = group.multiply_scalars(new, group.invert_scalar(old))
    said = Rotation(v=1, state="turn", leaving=1, current=2, delta=delta)
    key, other = (
        derive_rotation_key(own, holder=holder.public, broker=broker.public)
        for own in (holder, broker)
    )
    sealed = seal_rotation(said, raw(inputs["rid"]), key, nonce=raw(inputs["nonce"]))
    assert open_rotation(sealed, raw(inputs["rid"]), other) == said
    point = group.multiply(old, group.multiply_base(raw(inputs["h"])))
    return {
        "key": key.hex(),
        "delta": delta.hex(),
        "sealed": sealed.hex(),
        "point": point.hex(),
        "turned": group.multiply(delta, point).hex(),
        "pk": group.multiply_base(old).hex(),
        "pk_next": group.multiply_base(new).hex(),
    }


def make_envelope(inputs: Members) -> Members:
    recipient = ExchangeKey.from_seed(raw(inputs["recipient_seed"]))
    body = seal_envelope(
        raw(inputs["core_hash"]),
        recipient.public,
        inputs["values"],
        inputs["size_classes"],
        inputs["bsn"],
        release_key=raw(inputs["release_key"]),
    )
    return {"body": body.model_dump(mode="json")}


SEED, SECOND = "01" * 32, "02" * 32
SCALAR_R, SCALAR_S, SCALAR_T, SCALAR_N = (f"0{n}{'00' * 30}0{n}" for n in range(1, 5))
PARTNER, BROKER = "00000001234567890000:wijkteam", "00000009876543210000:broker"
MAKERS: dict[str, tuple[str, Callable[[Members], Members], Members]] = {
    "canonical-json": (
        "The one spelling of JSON values (RFC 8785 for the accepted kinds).",
        make_canonical,
        {
            "values": [
                None,
                [True, False, 0, -1, 9007199254740991, -9007199254740991],
                {"b": "", "a": {"Z": 1, "_": 2, "a.b": []}, "B": {}},
                '"\\/\b\f\n\r\t\u0000\u001f\u007f\u00e9\u20ac\u2028\U0001f600',
            ]
        },
    ),
    "sealing": (
        "key = HKDF-SHA256(secret, no salt, info); sealed = nonce, AES-256-GCM.",
        make_sealing,
        {
            "secret": SEED,
            "info": b"dw-example/v1\0".hex(),
            "nonce": "0a" * 12,
            "aad": b"context".hex(),
            "plaintext": b"plaintext".hex(),
        },
    ),
    "keys": (
        "JWK (RFC 8037) and kid (RFC 7638) of seeds.",
        make_keys,
        {"ed25519_seed": SEED, "x25519_seed": SECOND},
    ),
    "message": (
        "A signed message with its parts (salt, content) and its wire form.",
        make_message,
        {
            "ed25519_seed": SEED,
            "members": {
                "v": 1,
                "type": "inquire",
                "iss": PARTNER,
                "aud": BROKER,
                "iat": "2026-03-01T12:00:00Z",
                "rid": "cnJycnJycnJycnJycnJycg",
            },
            "contents": [b"statement".hex(), b"person".hex()],
            "salts": ["0b" * 16, "0c" * 16],
        },
    ),
    "document": (
        "A payload signed by two keys: JWS, general JSON serialisation.",
        make_document,
        {"ed25519_seeds": [SEED, SECOND], "payload": b'{"seq":1,"v":1}'.hex()},
    ),
    "blind-look-up": (
        "alpha = r·H, beta = t·s·alpha, gamma = beta/r, point = gamma/t = s·H; proof of RFC 9497.",
        make_look_up,
        {"bsn": "999990019", "r": SCALAR_R, "s": SCALAR_S, "t": SCALAR_T, "nonce": SCALAR_N},
    ),
    "ticket": (
        "u16 length, header, nonce, AES-256-GCM(k_KB, t, aad = header).",
        make_ticket,
        {
            "holder_seed": SEED,
            "broker_seed": SECOND,
            "s": SCALAR_S,
            "t": SCALAR_T,
            "nonce": "0d" * 12,
            "partner": PARTNER,
            "class": "inquire",
            "epoch": 1,
            "iat": "2026-03-01T12:00:00+00:00",
            "rid": "72" * 16,
            "n": 1,
        },
    ),
    "rotation": (
        "delta = s'/s; nonce, AES-256-GCM(key, canonical JSON, aad = info, rid); point = s·h·G.",
        make_rotation,
        {
            "holder_seed": SEED,
            "broker_seed": SECOND,
            "s": SCALAR_S,
            "s_next": SCALAR_T,
            "h": SCALAR_R,
            "rid": "72" * 16,
            "nonce": "0d" * 12,
        },
    ),
    "envelope": (
        "A sealed release; `enc` was made once, with fresh randomness; the rest follows.",
        make_envelope,
        {
            "recipient_seed": SECOND,
            "release_key": "0e" * 32,
            "core_hash": "0f" * 32,
            "bsn": "999990019",
            "values": {"debts.since": "2025-01-31", "debts.remark": None, "contact": {"days": [1]}},
            "size_classes": {"debts.since": 32, "debts.remark": 64, "contact": 64},
        },
    ),
}


def read(name: str) -> Members:
    vector: Members = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return vector


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "envelope"])
def test_the_format_is_as_published(name: str) -> None:
    vector = read(name)
    assert MAKERS[name][1](vector["inputs"]) == vector["outputs"]
    assert vector["origin"].startswith(ORIGIN)


def test_the_envelope_is_as_published() -> None:
    vector = read("envelope")
    inputs, published = vector["inputs"], vector["outputs"]["body"]
    again = make_envelope(inputs)["body"]
    assert {**again, "enc": published["enc"]} == published
    opened = open_envelope(
        EnvelopeBody.model_validate(published),
        ExchangeKey.from_seed(raw(inputs["recipient_seed"])),
        raw(inputs["core_hash"]),
        list(inputs["values"]),
        size_classes=inputs["size_classes"],
    )
    assert opened.values == inputs["values"]
    assert subject_matches(opened, inputs["bsn"])


def write() -> None:
    for name, (text, make, inputs) in MAKERS.items():
        vector = {"origin": ORIGIN + text, "inputs": inputs, "outputs": make(inputs)}
        form = json.dumps(vector, indent=1, ensure_ascii=True)
        (FOLDER / f"{name}.json").write_text(form + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
