"""The row key: one ring of at most two keys, of which one is written under and both are found by.

Rule: what is sealed or looked up names only what it is for (`label`); which key of the ring serves
is decided here, so that a rotation changes nothing elsewhere. What cannot be made anew, because
what it was made of is kept nowhere (numbers of oversight, pseudonyms that another log holds, a
chain), stays under the keys that it began with (`KEPT_LABELS`): derived from the first row key, and
kept when that one goes. Source: docs/decisions/0027; RFC 5869, RFC 2104, NIST SP 800-38D.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from datwat.protocol.sealing import UnsealError, build_cipher, derive_key, seal, unseal

ROW: Final = b"row"
SPENT: Final = b"spent"
CURSOR: Final = b"cursor"
INDEX: Final = b"index"
REFERENCE: Final = b"reference"
BACKUP: Final = b"backup"
OVERSIGHT: Final = b"oversight"
PROCESSING: Final = b"ldv-data-subject"
DECISIONS: Final = b"decision-log"
DECISION_CHAIN: Final = b"decision-log-chain"
KEPT_LABELS: Final = (OVERSIGHT, PROCESSING, DECISIONS, DECISION_CHAIN)


@dataclass(frozen=True, slots=True)
class RingState:
    """What a ring holds: keys of 32 bytes by number, and how far a rotation is.

    `target` is the key to which all goes; it is written under from `is_turned` on. `changed_at` is
    when the key was added, the ring was turned or its target changed; None of a ring never rotated.
    """

    keys: Mapping[int, bytes] = field(repr=False)
    target: int
    is_turned: bool = True
    changed_at: datetime | None = None
    kept: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @property
    def writes(self) -> int:
        """The number of the key that is written under."""
        return self.target if self.is_turned else self.leaving or self.target

    @property
    def leaving(self) -> int | None:
        """The number of the key that is destroyed at the end; None where there is one key."""
        return next((number for number in self.keys if number != self.target), None)


class _Held:
    """One state with the keys derived from it so far; replaced whole when the ring changes."""

    def __init__(self, state: RingState) -> None:
        self.state = state
        writes = state.writes
        self._order = [state.keys[writes]]
        self._order += [key for number, key in state.keys.items() if number != writes]
        self._derived: dict[bytes, tuple[bytes, ...]] = {}
        self._ciphers: dict[bytes, tuple[AESGCM, ...]] = {}

    def derive(self, label: bytes) -> tuple[bytes, ...]:
        """Return the keys of a label, that which is written under first."""
        found = self._derived.get(label)
        if found is None:
            found = tuple(derive_key(key, label) for key in self._order)
            self._derived[label] = found
        return found

    def find_ciphers(self, label: bytes) -> tuple[AESGCM, ...]:
        """Return the same as ciphers."""
        found = self._ciphers.get(label)
        if found is None:
            found = tuple(build_cipher(key) for key in self.derive(label))
            self._ciphers[label] = found
        return found


class RowKeys:
    """Seals, opens and makes keyed hashes under the row key; safe in several threads.

    Whoever holds the ring goes on while it is replaced: each call uses one state of it.
    """

    def __init__(self, state: RingState) -> None:
        self._held = _Held(state)

    def __repr__(self) -> str:
        return f"RowKeys({sorted(self._held.state.keys)})"

    @classmethod
    def of(cls, row_key: Self | bytes) -> Self:
        """Return the ring itself, or the ring of one key of 32 bytes."""
        return cls(RingState({1: row_key}, 1)) if isinstance(row_key, bytes) else row_key

    @property
    def state(self) -> RingState:
        """What the ring holds now."""
        return self._held.state

    def replace(self, state: RingState) -> None:
        """Go by another state from the next call on."""
        self._held = _Held(state)

    def seal(self, label: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Return `plaintext` sealed under the key that is written under, bound to `aad`."""
        return seal(self._held.find_ciphers(label)[0], plaintext, aad)

    def unseal(self, label: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed under any key of the ring; raise UnsealError."""
        first, *others = self._held.find_ciphers(label)
        try:
            return unseal(first, sealed, aad)
        except UnsealError:
            for cipher in others:
                return unseal(cipher, sealed, aad)
            raise

    def find_stale(self, label: bytes, sealed: bytes, aad: bytes) -> bytes | None:
        """Return the plaintext where it lies under another key than is written under, else None.

        Raises UnsealError where no key of the ring opens it.
        """
        first, *others = self._held.find_ciphers(label)
        try:
            unseal(first, sealed, aad)
        except UnsealError:
            for cipher in others:
                return unseal(cipher, sealed, aad)
            raise
        return None

    def digest(self, label: bytes, value: bytes) -> bytes:
        """Return the keyed hash (32 bytes) under which a value is written."""
        return hmac.digest(self._held.derive(label)[0], value, "sha256")

    def digests(self, label: bytes, value: bytes) -> tuple[bytes, ...]:
        """Return the keyed hashes under which a value may be found, that of `digest` first."""
        return tuple(hmac.digest(key, value, "sha256") for key in self._held.derive(label))

    def derive_kept(self, label: bytes) -> bytes:
        """Return a key of `KEPT_LABELS`: the same for ever, whatever row key there is."""
        state = self._held.state
        return state.kept.get(label) or derive_key(state.keys[state.writes], label)

    def build_checks(self, label: bytes, value: bytes) -> tuple[bytes, ...]:
        """Return what this ring can prove to hold: all its keys together, then each one alone.

        A copy of rows is opened by the ring whose proofs hold the first one of that time.
        """
        keys = [derive_key(key, label) for _, key in sorted(self._held.state.keys.items())]
        alone = tuple(hmac.digest(key, value, "sha256") for key in keys)
        if len(alone) == 1:
            return alone
        return hmac.digest(keys[0], b"".join(alone), "sha256"), *alone


def derive_all_kept(keys: RowKeys) -> Mapping[bytes, bytes]:
    """Return what has to stay when the keys of a ring go."""
    return {label: keys.derive_kept(label) for label in KEPT_LABELS}
