"""Policy keys that lie in the broker's home under their holder's passphrase.

Rules: the file opens with the passphrase only, and costs whoever guesses 128 MB and a good part of
a second each time; what was typed is kept nowhere; after a few wrong tries somebody waits. A broker
that was taken over sees the passphrase while it is typed: `datwat purpose approve --key` signs
outside of it and is the stronger way (docs/explanation/four-eyes.md).
Source: RFC 7914 (scrypt).
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from broker.purposes.life_errors import (
    PassphraseWrongError,
    SealedKeyMissingError,
    TooManyTriesError,
)
from datwat.party.errors import PartyError
from datwat.party.files import replace_file
from datwat.party.settings import make_private_folder
from datwat.protocol.canonical import CanonicalError, encode_canonical
from datwat.protocol.keys import KeyFormError, SigningKey
from datwat.protocol.sealing import UnsealError, seal, unseal
from datwat.protocol.values import Bytes16, BytesUpTo64K, Value

SHORTEST_PASSPHRASE = 12
LONGEST_PASSPHRASE = 1_024
FOLDER = Path("secrets") / "policy"
_COST: Final = 131_072
_BLOCK: Final = 8
_LANES: Final = 1
_MEMORY = 192 * 1_048_576
_KEY_SIZE = 32
_MOST_TRIES = 5
_WAIT = timedelta(minutes=15)


class PassphraseShortError(PartyError):
    """A passphrase that is too short, or too long."""

    code = "passphrase_short"
    default_detail = (
        f"Choose a passphrase of {SHORTEST_PASSPHRASE} to {LONGEST_PASSPHRASE} characters, such as "
        "five words that have nothing to do with each other."
    )


class _SealedKey(Value):
    """The file: how the key of the seal follows from the passphrase, and what is sealed."""

    v: Literal[1]
    kid: str = Field(pattern=r"^[A-Za-z0-9_-]{43}$")
    kdf: Literal["scrypt"]
    n: Literal[131_072]
    r: Literal[8]
    p: Literal[1]
    salt: Bytes16
    sealed: BytesUpTo64K = Field(repr=False)


class SealedKeys:
    """The sealed keys of one home, and who typed what is wrong too often."""

    def __init__(self, home: Path) -> None:
        """Keep where they lie."""
        self._folder = home / FOLDER
        self._tries: dict[str, deque[datetime]] = {}

    def list_kids(self) -> frozenset[str]:
        """Return the thumbprints of the keys that lie here."""
        return frozenset(path.stem for path in self._folder.glob("*.json"))

    def put(self, key: SigningKey, passphrase: str) -> Path:
        """Seal a key into its file, replacing an older one. Raises PassphraseShortError, OSError.

        Takes a good part of a second: never on the event loop.
        """
        if not SHORTEST_PASSPHRASE <= len(passphrase) <= LONGEST_PASSPHRASE:
            raise PassphraseShortError
        salt = os.urandom(16)
        sealing = _derive(passphrase, salt)
        file = _SealedKey(
            v=1,
            kid=key.kid,
            kdf="scrypt",
            n=_COST,
            r=_BLOCK,
            p=_LANES,
            salt=salt,
            sealed=seal(sealing, key.to_jwk_text().encode("ascii"), key.kid.encode("ascii")),
        )
        make_private_folder(self._folder)
        path = self._folder / f"{key.kid}.json"
        replace_file(path, encode_canonical(file.model_dump(mode="json")))
        return path

    def open(self, kid: str, passphrase: str, now: datetime) -> SigningKey:
        """Return the key of a thumbprint; takes a good part of a second, as `put`.

        Raises SealedKeyMissingError, PassphraseWrongError, TooManyTriesError.
        """
        tries = self._tries.setdefault(kid, deque(maxlen=_MOST_TRIES))
        if len(tries) == _MOST_TRIES and now - tries[0] < _WAIT:
            raise TooManyTriesError
        file = self._read(kid)
        # Before the work is done: two at once count as two.
        tries.append(now)
        if len(passphrase) > LONGEST_PASSPHRASE:
            raise PassphraseWrongError
        try:
            opened = unseal(_derive(passphrase, file.salt), file.sealed, kid.encode("ascii"))
            key = SigningKey.from_jwk_text(opened.decode("ascii"))
        except (UnsealError, KeyFormError, CanonicalError, UnicodeDecodeError):
            raise PassphraseWrongError from None
        self._tries.pop(kid, None)
        return key

    def _read(self, kid: str) -> _SealedKey:
        if kid not in self.list_kids():
            raise SealedKeyMissingError
        try:
            file = _SealedKey.model_validate_json((self._folder / f"{kid}.json").read_bytes())
        except (OSError, ValidationError):
            raise SealedKeyMissingError from None
        if file.kid != kid:
            raise SealedKeyMissingError
        return file


def _derive(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=_COST,
        r=_BLOCK,
        p=_LANES,
        maxmem=_MEMORY,
        dklen=_KEY_SIZE,
    )
