"""A policy key under its holder's passphrase: opened by it alone, and not by guessing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.policy.sealed_keys import PassphraseShortError, SealedKeys
from broker.purposes.life_errors import (
    PassphraseWrongError,
    SealedKeyMissingError,
    TooManyTriesError,
)
from datwat.protocol.keys import SigningKey

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PASSPHRASE = "vijf woorden die niets betekenen"


def test_a_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    keys, key = SealedKeys(tmp_path), SigningKey.generate()
    path = keys.put(key, PASSPHRASE)
    assert path.parent.stat().st_mode & 0o077 == 0
    assert keys.list_kids() == {key.kid}
    assert key.to_jwk_text().encode() not in path.read_bytes()
    assert PASSPHRASE.encode() not in path.read_bytes()
    assert keys.open(key.kid, PASSPHRASE, NOW) == key
    with pytest.raises(PassphraseWrongError):
        keys.open(key.kid, PASSPHRASE + " ", NOW)
    with pytest.raises(PassphraseWrongError):
        keys.open(key.kid, "x" * 2_000, NOW)


def test_what_is_missing_short_or_changed_is_refused(tmp_path: Path) -> None:
    keys, key, other = SealedKeys(tmp_path), SigningKey.generate(), SigningKey.generate()
    with pytest.raises(PassphraseShortError):
        keys.put(key, "too short")
    with pytest.raises(SealedKeyMissingError):
        keys.open(key.kid, PASSPHRASE, NOW)
    with pytest.raises(SealedKeyMissingError):
        keys.open("../../broker.db", PASSPHRASE, NOW)
    path = keys.put(key, PASSPHRASE)
    # One holder's file under another's name opens for nobody.
    path.rename(path.with_name(f"{other.kid}.json"))
    with pytest.raises(SealedKeyMissingError):
        keys.open(other.kid, PASSPHRASE, NOW)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(SealedKeyMissingError):
        keys.open(key.kid, PASSPHRASE, NOW)


def test_who_guesses_waits(tmp_path: Path) -> None:
    keys, key = SealedKeys(tmp_path), SigningKey.generate()
    keys.put(key, PASSPHRASE)
    for _ in range(5):
        with pytest.raises(PassphraseWrongError):
            keys.open(key.kid, "x" * 1_025, NOW)
    with pytest.raises(TooManyTriesError):
        keys.open(key.kid, PASSPHRASE, NOW)
    assert keys.open(key.kid, PASSPHRASE, NOW + timedelta(minutes=15)) == key
