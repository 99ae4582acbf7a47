"""The one key with which a partner signs, and the card that makes it known to the covenant."""

from __future__ import annotations

from pathlib import Path

from datwat.party.settings import read_secret, write_secret
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import PublicJwk

KEY_NAME = "signing.jwk"


def create_signing_key(home: Path) -> SigningKey:
    """Write a fresh key into the home's secrets and return it; raise SecretError if there."""
    key = SigningKey.generate()
    write_secret(home, KEY_NAME, key.to_jwk_text().encode("ascii"))
    return key


def load_signing_key(home: Path) -> SigningKey:
    """Return the party's key; raise SecretError or KeyFormError."""
    return SigningKey.from_jwk_text(read_secret(home, KEY_NAME).decode("ascii", "replace"))


def build_jwk(key: SigningKey) -> PublicJwk:
    """Return the public half as it stands on a card."""
    return PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw)
