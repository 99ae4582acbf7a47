"""Keys: RFC 8037's example, one text form, ids that are derived, secrets that do not show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from datwat.protocol.canonical import CanonicalError
from datwat.protocol.keys import (
    ExchangeError,
    ExchangeKey,
    ExchangePublicKey,
    KeyFormError,
    SigningKey,
    VerifyKey,
)
from datwat.protocol.values import encode_bytes

# RFC 8037 appendix A.1 to A.3: an Ed25519 key and its thumbprint.
RFC_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def public(jwk: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in jwk.items() if name != "d"}


def test_the_rfcs_key_has_the_rfcs_thumbprint() -> None:
    key = SigningKey.from_jwk_text(json.dumps(RFC_JWK))
    assert key.kid == RFC_KID
    assert VerifyKey.from_jwk(public(RFC_JWK)) == key.public
    assert json.loads(key.to_jwk_text()) == RFC_JWK


@pytest.mark.parametrize("kind", [SigningKey, ExchangeKey])
def test_the_text_form_comes_back_and_joserfc_agrees(
    kind: type[SigningKey | ExchangeKey],
) -> None:
    key = kind.generate()
    again = kind.from_jwk_text(key.to_jwk_text())
    assert again.public == key.public
    assert again.to_jwk_text() == key.to_jwk_text()
    assert OKPKey.import_key(json.loads(key.to_jwk_text())).thumbprint() == key.kid


@pytest.mark.parametrize("key", [SigningKey.generate(), ExchangeKey.generate()])
def test_a_private_key_shows_in_no_repr(key: SigningKey | ExchangeKey) -> None:
    secret = json.loads(key.to_jwk_text())["d"]
    assert secret not in f"{key!r}{key}"
    assert "rivateKey" not in repr(key)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"crv": "X25519"},
        {"crv": "Ed448"},
        {"x": "AAAA"},
        {"x": RFC_JWK["x"] + "="},
        {"x": RFC_JWK["x"][:-1] + "p"},
        {"x": 5},
        {"x": None},
        {"kid": "mine"},
        {"alg": "EdDSA"},
        {"d": RFC_JWK["d"]},
    ],
)
def test_any_other_public_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(KeyFormError):
        VerifyKey.from_jwk({**public(RFC_JWK), **change})


@pytest.mark.parametrize("jwk", [None, [], "text", {}, {"kty": "OKP"}])
def test_what_is_no_jwk_is_refused(jwk: object) -> None:
    for kind in (VerifyKey, ExchangePublicKey):
        with pytest.raises(KeyFormError):
            kind.from_jwk(jwk)


def test_a_private_key_whose_public_half_is_anothers_is_refused() -> None:
    other = SigningKey.generate().public.to_jwk()["x"]
    with pytest.raises(KeyFormError):
        SigningKey.from_jwk_text(json.dumps({**RFC_JWK, "x": other}))
    with pytest.raises(KeyFormError):
        SigningKey.from_jwk_text(json.dumps(public(RFC_JWK)))
    with pytest.raises(CanonicalError):
        SigningKey.from_jwk_text(json.dumps(RFC_JWK)[:-1] + ',"d":"x"}')
    exchange = json.loads(ExchangeKey.generate().to_jwk_text())
    with pytest.raises(KeyFormError):
        ExchangeKey.from_jwk_text(json.dumps({**exchange, "x": other}))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_have_32_bytes(size: int) -> None:
    makers: list[Callable[[bytes], object]] = [
        VerifyKey,
        ExchangePublicKey,
        SigningKey.from_seed,
        ExchangeKey.from_seed,
    ]
    for make in makers:
        with pytest.raises(KeyFormError):
            make(bytes(size))


def test_signatures_hold_for_their_key_and_data_only() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"data")
    assert key.public.is_signature(signature, b"data")
    assert not key.public.is_signature(signature, b"date")
    assert not other.public.is_signature(signature, b"data")
    assert not key.public.is_signature(signature[:-1], b"data")
    assert not VerifyKey(b"\xff" * 32).is_signature(signature, b"data")


def test_both_sides_share_a_secret_and_weak_keys_give_none() -> None:
    one, two = ExchangeKey.generate(), ExchangeKey.generate()
    assert one.derive_shared_secret(two.public) == two.derive_shared_secret(one.public)
    for weak in (bytes(32), b"\x01" + bytes(31)):
        with pytest.raises(ExchangeError):
            one.derive_shared_secret(ExchangePublicKey(weak))


def test_curves_have_ids_of_their_own() -> None:
    raw = SigningKey.generate().public.raw
    assert VerifyKey(raw).kid != ExchangePublicKey(raw).kid
    assert ExchangePublicKey(raw).to_jwk() == {
        "kty": "OKP",
        "crv": "X25519",
        "x": encode_bytes(raw),
    }
