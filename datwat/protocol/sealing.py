"""The one way to seal bytes under a symmetric key, and the one way to derive a key.

Sealed = nonce (12) ‖ AES-256-GCM(key, nonce, plaintext, aad) (NIST SP 800-38D); derivation is
HKDF-SHA256 without salt (RFC 5869), its `info` naming what the key is for. A key is 32 bytes, never
less: AES-GCM in `cryptography` would take 16 without a word.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datwat.protocol.errors import ProtocolError

KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
OVERHEAD = NONCE_SIZE + TAG_SIZE
_SHA256 = hashes.SHA256()


class UnsealError(ProtocolError):
    """What was sealed does not open: another key, another context, or it was changed."""

    code = "seal_broken"
    default_detail = "What was sealed does not open with this key in this context."


def build_cipher(key: bytes) -> AESGCM:
    """Return AES-256-GCM under `key`; raise ValueError unless it has exactly 32 bytes."""
    if len(key) != KEY_SIZE:
        msg = "a sealing key has 32 bytes"
        raise ValueError(msg)
    return AESGCM(key)


def _find_cipher(key: bytes | AESGCM) -> AESGCM:
    return key if isinstance(key, AESGCM) else build_cipher(key)


def seal(key: bytes | AESGCM, plaintext: bytes, aad: bytes, *, nonce: bytes | None = None) -> bytes:
    """Return nonce ‖ ciphertext ‖ tag of `plaintext`, bound to `aad`.

    A key that is used often and kept anyway may be given as its cipher (`build_cipher`).
    `nonce` is for test vectors only: a nonce used twice under one key gives both texts away.
    """
    nonce = os.urandom(NONCE_SIZE) if nonce is None else nonce
    if len(nonce) != NONCE_SIZE:
        msg = "a nonce has 12 bytes"
        raise ValueError(msg)
    return nonce + _find_cipher(key).encrypt(nonce, plaintext, aad)


def unseal(key: bytes | AESGCM, sealed: bytes, aad: bytes) -> bytes:
    """Return the plaintext of `sealed`; raise UnsealError for another key or aad, or a change."""
    if len(sealed) < OVERHEAD:
        raise UnsealError
    try:
        return _find_cipher(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], aad)
    except InvalidTag:
        raise UnsealError from None


def derive_key(secret: bytes, info: bytes, length: int = KEY_SIZE) -> bytes:
    """Return HKDF-SHA256(secret, salt = none, info), `length` bytes (at most 8,160)."""
    return HKDF(algorithm=_SHA256, length=length, salt=None, info=info).derive(secret)
