"""Ed25519 and X25519 keys: one text form (JWK, RFC 8037) and one id (thumbprint, RFC 7638).

A key id is derived, never stated: a JWK has exactly the members kty, crv, x (and d), so nobody can
give a key another's id. A private key shows in no repr; its JWK text is for one protected file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from datwat.protocol.canonical import decode_strict, encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.values import decode_bytes, encode_bytes

KEY_SIZE = 32
KID_PATTERN = r"^[A-Za-z0-9_-]{43}$"
_MAX_JWK_BYTES = 1_024
Curve = Literal["Ed25519", "X25519"]


class KeyFormError(ProtocolError):
    """Not a key of ours; a private one is never repeated."""

    code = "key_form"
    default_detail = "The key is not a JWK with exactly kty, crv, x (and d for a private key)."


class ExchangeError(ProtocolError):
    """A public key with which no shared secret can be made (a point of low order)."""

    code = "key_exchange"
    default_detail = "No secret can be shared with this public key."


def derive_kid(curve: Curve, public: bytes) -> str:
    """Return the RFC 7638 thumbprint of an OKP public key, as base64url of SHA-256."""
    form = f'{{"crv":"{curve}","kty":"OKP","x":"{encode_bytes(public)}"}}'
    return encode_bytes(hashlib.sha256(form.encode("ascii")).digest())


def _build_jwk(curve: Curve, public: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": curve, "x": encode_bytes(public)}


def _read_member(jwk: Mapping[str, Any], name: str) -> bytes:
    try:
        value = decode_bytes(jwk[name])
    except (ValueError, TypeError):
        raise KeyFormError from None
    if len(value) != KEY_SIZE:
        raise KeyFormError
    return value


def _read_jwk(curve: Curve, jwk: object, members: set[str]) -> Mapping[str, Any]:
    if not isinstance(jwk, Mapping) or set(jwk) != members:
        raise KeyFormError
    if jwk["kty"] != "OKP" or jwk["crv"] != curve:
        raise KeyFormError
    return jwk


def _read_public(curve: Curve, jwk: object) -> bytes:
    return _read_member(_read_jwk(curve, jwk, {"kty", "crv", "x"}), "x")


def _read_private(curve: Curve, text: str) -> tuple[bytes, bytes]:
    """Return (private, stated public) bytes of a private JWK's text."""
    jwk = decode_strict(text.encode("utf-8", "replace"), max_bytes=_MAX_JWK_BYTES)
    read = _read_jwk(curve, jwk, {"kty", "crv", "x", "d"})
    return _read_member(read, "d"), _read_member(read, "x")


@lru_cache(maxsize=8_192)
def _parse_verify_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=8_192)
def _derive_verify_kid(raw: bytes) -> str:
    return derive_kid("Ed25519", raw)


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """An Ed25519 public key, 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse another length."""
        if len(self.raw) != KEY_SIZE:
            raise KeyFormError

    @property
    def kid(self) -> str:
        """Return the key's thumbprint."""
        return _derive_verify_kid(self.raw)

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Return the key of a public JWK; raise KeyFormError for any other form."""
        return cls(_read_public("Ed25519", jwk))

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK."""
        return _build_jwk("Ed25519", self.raw)

    def is_signature(self, signature: bytes, data: bytes) -> bool:
        """Tell whether `signature` (64 bytes) is this key's over `data`."""
        try:
            _parse_verify_key(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key; its repr shows the public key only."""

    public: VerifyKey
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a 32-byte seed (RFC 8032)."""
        if len(seed) != KEY_SIZE:
            raise KeyFormError
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(VerifyKey(private.public_key().public_bytes_raw()), private)

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh key."""
        return cls.from_seed(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_jwk_text(cls, text: str) -> Self:
        """Return the key of a private JWK's JSON text; raise KeyFormError or CanonicalError."""
        seed, stated = _read_private("Ed25519", text)
        key = cls.from_seed(seed)
        if key.public.raw != stated:
            raise KeyFormError
        return key

    @property
    def kid(self) -> str:
        """Return the thumbprint of the public key."""
        return self.public.kid

    def to_private(self) -> Ed25519PrivateKey:
        """Return the private key itself, for what signs by rules of its own (checkpoints)."""
        return self._private

    def now(self) -> Self:
        """Return this key: it is the one to sign with at every moment (see `Signer`)."""
        return self

    def to_jwk_text(self) -> str:
        """Return the private JWK as JSON text: a secret, for one protected file."""
        secret = encode_bytes(self._private.private_bytes_raw())
        return encode_canonical({**self.public.to_jwk(), "d": secret}).decode("ascii")

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature over `data`."""
        return self._private.sign(data)


class Signer(Protocol):
    """Whatever signs with one key at a time: a key, or a party's own keys while they change."""

    def now(self) -> SigningKey:
        """Return the key to sign with at this moment."""
        ...


@dataclass(frozen=True, slots=True)
class ExchangePublicKey:
    """An X25519 public key, 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse another length."""
        if len(self.raw) != KEY_SIZE:
            raise KeyFormError

    @property
    def kid(self) -> str:
        """Return the key's thumbprint."""
        return derive_kid("X25519", self.raw)

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Return the key of a public JWK; raise KeyFormError for any other form."""
        return cls(_read_public("X25519", jwk))

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK."""
        return _build_jwk("X25519", self.raw)


@dataclass(frozen=True, slots=True)
class ExchangeKey:
    """An X25519 private key; its repr shows the public key only."""

    public: ExchangePublicKey
    private: X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of 32 private bytes (RFC 7748)."""
        if len(seed) != KEY_SIZE:
            raise KeyFormError
        private = X25519PrivateKey.from_private_bytes(seed)
        return cls(ExchangePublicKey(private.public_key().public_bytes_raw()), private)

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh key."""
        return cls.from_seed(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_jwk_text(cls, text: str) -> Self:
        """Return the key of a private JWK's JSON text; raise KeyFormError or CanonicalError."""
        seed, stated = _read_private("X25519", text)
        key = cls.from_seed(seed)
        if key.public.raw != stated:
            raise KeyFormError
        return key

    @property
    def kid(self) -> str:
        """Return the thumbprint of the public key."""
        return self.public.kid

    def to_jwk_text(self) -> str:
        """Return the private JWK as JSON text: a secret, for one protected file."""
        secret = encode_bytes(self.private.private_bytes_raw())
        return encode_canonical({**self.public.to_jwk(), "d": secret}).decode("ascii")

    def derive_shared_secret(self, other: ExchangePublicKey) -> bytes:
        """Return X25519(own, other), to be put through `derive_key`; raise ExchangeError."""
        try:
            return self.private.exchange(X25519PublicKey.from_public_bytes(other.raw))
        except ValueError:
            raise ExchangeError from None
