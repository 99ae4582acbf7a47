"""The broker's secrets, one per file in `<home>/secrets`, outside the database and its backups.

Row key (index, references, rows) and KEK open what lies in the database; the signing key speaks for
the broker, the log key for the log, the exchange key opens tickets. Source: cryptography.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.adapters.kek_file import FileKek
from datwat.party.settings import read_secret, write_secret
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.sealing import KEY_SIZE

_SIGNING = "signing.jwk"
_EXCHANGE = "exchange.jwk"
_LOG = "log.key"
ROW_KEY_NAME = "row.key"
KEK_NAME = "kek.json"


@dataclass(frozen=True, slots=True)
class BrokerSecrets:
    """What only this process knows."""

    signing: SigningKey = field(repr=False)
    exchange: ExchangeKey = field(repr=False)
    log_key: Ed25519PrivateKey = field(repr=False)
    row_key: bytes = field(repr=False)
    kek: FileKek = field(repr=False)

    def build_signer(self, origin: str) -> CheckpointSigner:
        """Return what signs the checkpoints of the log of this name."""
        return CheckpointSigner(origin, self.log_key)


def create_secrets(home: Path) -> BrokerSecrets:
    """Draw and write all secrets of a new home; raise SecretError where one exists."""
    write_secret(home, _SIGNING, SigningKey.generate().to_jwk_text().encode())
    write_secret(home, _EXCHANGE, ExchangeKey.generate().to_jwk_text().encode())
    write_secret(home, _LOG, Ed25519PrivateKey.generate().private_bytes_raw())
    write_secret(home, ROW_KEY_NAME, os.urandom(KEY_SIZE))
    FileKek.create(home / "secrets" / KEK_NAME)
    return load_secrets(home)


def load_secrets(home: Path) -> BrokerSecrets:
    """Return the secrets of a home; raise SecretError, KekError or KeyFormError."""
    return BrokerSecrets(
        signing=SigningKey.from_jwk_text(read_secret(home, _SIGNING).decode()),
        exchange=ExchangeKey.from_jwk_text(read_secret(home, _EXCHANGE).decode()),
        log_key=Ed25519PrivateKey.from_private_bytes(read_secret(home, _LOG)),
        row_key=read_secret(home, ROW_KEY_NAME),
        kek=FileKek.open(home / "secrets" / KEK_NAME),
    )
