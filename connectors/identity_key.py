"""The key with which a partner signs, the next one beside it, and how the covenant knows them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from datwat.party.own_keys import KeyOfNow, OwnKeys, parse_signing
from datwat.party.settings import read_secret, write_secret
from datwat.party.trust_list import Directory
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


def open_signing_keys(home: Path) -> OwnKeys[SigningKey]:
    """Return the party's keys: the one in use, and the next one if there is one.

    Raises SecretError, KeyFormError.
    """
    return OwnKeys(home, KEY_NAME, parse_signing)


def build_signer(
    keys: OwnKeys[SigningKey], own: str, read_directory: Callable[[], Directory]
) -> KeyOfNow[SigningKey]:
    """Return what signs for the partner `own`, with a key that the list of that moment names."""

    def read_listed() -> Collection[bytes]:
        partner = read_directory().partners.get(own)
        return [key.x for key in partner.keys] if partner is not None else ()

    return KeyOfNow(keys, read_listed)


def build_jwk(key: SigningKey) -> PublicJwk:
    """Return the public half as it stands on a card."""
    return PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw)
