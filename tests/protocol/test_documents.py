"""Documents: a threshold of different keys, each counted once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import (
    DocumentFormError,
    SignedDocument,
    ThresholdError,
    add_signature,
    build_verify_keys,
    count_valid_signatures,
    require_threshold,
    sign_document,
)
from datwat.protocol.jws import MessageHeaderError, Signature
from datwat.protocol.keys import SigningKey

ONE, TWO, THREE, STRANGER = (SigningKey.from_seed(bytes([n]) * 32) for n in range(1, 5))
KEYS = build_verify_keys([ONE.public, TWO.public, THREE.public])
PAYLOAD = encode_canonical({"v": 1, "seq": 3})


def test_enough_keys_give_the_payload() -> None:
    document = add_signature(sign_document(PAYLOAD, [ONE]), TWO)
    assert count_valid_signatures(document, KEYS) == {ONE.kid, TWO.kid}
    assert require_threshold(document, KEYS, 2) == PAYLOAD
    assert SignedDocument.from_bytes(document.to_bytes()) == document


def test_a_key_counts_once_and_a_stranger_never() -> None:
    document = sign_document(PAYLOAD, [ONE, ONE, STRANGER])
    assert count_valid_signatures(document, KEYS) == {ONE.kid}
    with pytest.raises(ThresholdError):
        require_threshold(document, KEYS, 2)


def test_a_signature_that_does_not_hold_counts_for_nothing() -> None:
    document = sign_document(PAYLOAD, [ONE, TWO])
    changed = document.model_copy(update={"payload": PAYLOAD + b" "})
    assert count_valid_signatures(changed, KEYS) == frozenset()
    first, second = document.signatures
    crossed = Signature(protected=first.protected, signature=second.signature)
    mixed = document.model_copy(update={"signatures": (crossed, second)})
    assert count_valid_signatures(mixed, KEYS) == {TWO.kid}


def test_another_header_is_refused() -> None:
    (signed,) = sign_document(PAYLOAD, [ONE]).signatures
    odd = Signature(protected=signed.protected + b" ", signature=signed.signature)
    document = SignedDocument(payload=PAYLOAD, signatures=(odd, signed))
    with pytest.raises(MessageHeaderError):
        count_valid_signatures(document, KEYS)


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_is_at_least_one(threshold: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        require_threshold(sign_document(PAYLOAD, [ONE]), KEYS, threshold)


def members() -> dict[str, Any]:
    return sign_document(PAYLOAD, [ONE]).model_dump(mode="json")


@pytest.mark.parametrize(
    "change",
    [
        {"signatures": []},
        {"signatures": [{}]},
        {"signatures": [{**members()["signatures"][0], "header": {"alg": "none"}}]},
        {"signatures": members()["signatures"] * 65},
        {"payload": 5},
        {"header": {}},
    ],
)
def test_other_forms_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentFormError):
        SignedDocument.from_bytes(encode_canonical({**members(), **change}))


def test_joserfc_reads_it() -> None:
    document: Any = json.loads(sign_document(PAYLOAD, [ONE]).to_bytes())
    key = OKPKey.import_key(json.loads(ONE.to_jwk_text()))
    assert jws.deserialize_json(document, key, algorithms=["Ed25519"]).payload == PAYLOAD
