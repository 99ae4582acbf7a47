"""The secrets of the bundle server: with which it signs for OPA, and which OPA shows to fetch."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from broker.policy.bundle import OpaKey
from datwat.party.settings import read_secret, write_secret

OPA_KEY = "opa-bundles.pem"
OPA_TOKEN = "opa-bundles.token"  # noqa: S105 - the name of a file


def create_opa_secrets(home: Path) -> None:
    """Draw and write what is not there yet; raise SecretError where it cannot be written."""
    if not (home / "secrets" / OPA_KEY).exists():
        pem = OpaKey.generate().private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_secret(home, OPA_KEY, pem)
    if not (home / "secrets" / OPA_TOKEN).exists():
        write_secret(home, OPA_TOKEN, secrets.token_urlsafe(32).encode("ascii"))


def read_opa_key(home: Path) -> OpaKey:
    """Return the key that signs for OPA; raise SecretError, OpaKeyError."""
    return OpaKey.from_pem(read_secret(home, OPA_KEY))


def read_opa_token(home: Path) -> str:
    """Return the token that an OPA shows; raise SecretError."""
    return read_secret(home, OPA_TOKEN).decode("ascii")
