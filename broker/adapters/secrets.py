"""The broker's secrets, one per file in `<home>/secrets`, outside the database and its backups.

Row key (index, references, rows) and KEK open what lies in the database; the signing key speaks for
the broker, the log key for the log, the exchange key opens tickets. Each of these three may have a
next one beside it, while it becomes known. Source: cryptography.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.adapters.kek_file import FileKek
from broker.adapters.row_key_file import RowKeyFile
from broker.pseudonyms.row_keys import RowKeys
from datwat.party.own_keys import OwnKeys, parse_exchange, parse_signing
from datwat.party.settings import SecretError, write_secret
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.keys import ExchangeKey, KeyFormError, SigningKey
from datwat.protocol.sealing import KEY_SIZE

SIGNING_NAME = "signing.jwk"
EXCHANGE_NAME = "exchange.jwk"
LOG_NAME = "log.key"
ROW_KEY_NAME = "row.key"
KEK_NAME = "kek.json"


@dataclass(frozen=True, slots=True)
class BrokerSecrets:
    """What only this process knows."""

    signing_keys: OwnKeys[SigningKey]
    exchange_keys: OwnKeys[ExchangeKey]
    log_keys: OwnKeys[SigningKey]
    row_file: RowKeyFile
    kek: FileKek = field(repr=False)

    @property
    def signing(self) -> SigningKey:
        """The key that signs for the broker, before any that follows it."""
        return self.signing_keys.keys[-1]

    @property
    def exchange(self) -> ExchangeKey:
        """The key that tickets are sealed to, before any that follows it."""
        return self.exchange_keys.keys[-1]

    @property
    def row_key(self) -> RowKeys:
        """The ring of row keys, as it is at each moment."""
        return self.row_file.keys

    @property
    def own_keys(self) -> Sequence[OwnKeys[SigningKey] | OwnKeys[ExchangeKey]]:
        """The keys that the trust list names."""
        return self.signing_keys, self.exchange_keys, self.log_keys

    def build_signer(self, origin: str) -> CheckpointSigner:
        """Return what signs the checkpoints of the log of this name, by every log key there is."""
        return CheckpointSigner(
            origin, lambda: [key.to_private() for key in reversed(self.log_keys.keys)]
        )


def create_secrets(home: Path) -> BrokerSecrets:
    """Draw and write all secrets of a new home; raise SecretError where one exists."""
    write_secret(home, SIGNING_NAME, draw_signing_key())
    write_secret(home, EXCHANGE_NAME, draw_exchange_key())
    write_secret(home, LOG_NAME, draw_log_key())
    write_secret(home, ROW_KEY_NAME, os.urandom(KEY_SIZE))
    FileKek.create(home / "secrets" / KEK_NAME)
    return load_secrets(home)


def load_secrets(home: Path) -> BrokerSecrets:
    """Return the secrets of a home; raise SecretError, KekError, RowKeyError or KeyFormError."""
    return BrokerSecrets(
        signing_keys=OwnKeys(home, SIGNING_NAME, parse_signing),
        exchange_keys=OwnKeys(home, EXCHANGE_NAME, parse_exchange),
        log_keys=OwnKeys(home, LOG_NAME, parse_log_key),
        row_file=RowKeyFile(home / "secrets" / ROW_KEY_NAME),
        kek=FileKek.open(home / "secrets" / KEK_NAME),
    )


def draw_signing_key() -> bytes:
    """Return a new signing key as its file has it."""
    return SigningKey.generate().to_jwk_text().encode()


def draw_exchange_key() -> bytes:
    """Return a new exchange key as its file has it."""
    return ExchangeKey.generate().to_jwk_text().encode()


def draw_log_key() -> bytes:
    """Return a new log key as its file has it: 32 bytes."""
    return os.urandom(KEY_SIZE)


def parse_log_key(content: bytes) -> SigningKey:
    """Return a log key from its file; raise SecretError."""
    try:
        return SigningKey.from_seed(content)
    except KeyFormError:
        raise SecretError("The key of the log is damaged: restore log.key.") from None
