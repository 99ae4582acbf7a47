"""Sealing: opens under the same key and context, and under nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol.sealing import OVERHEAD, UnsealError, derive_key, seal, unseal

KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, st.binary(max_size=200), st.binary(max_size=50))
def test_what_is_sealed_opens(key: bytes, plaintext: bytes, aad: bytes) -> None:
    sealed = seal(key, plaintext, aad)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert unseal(key, sealed, aad) == plaintext
    assert seal(key, plaintext, aad) != sealed


@given(st.data())
def test_no_byte_of_it_may_change(data: st.DataObject) -> None:
    key, aad = b"k" * 32, b"context"
    sealed = bytearray(seal(key, b"plaintext", aad))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnsealError):
        unseal(key, bytes(sealed), aad)


def test_another_key_another_context_or_a_piece_does_not_open() -> None:
    key, sealed = b"k" * 32, seal(b"k" * 32, b"plaintext", b"context")
    for wrong_key, wrong, wrong_aad in [
        (b"x" * 32, sealed, b"context"),
        (key, sealed, b"contexT"),
        (key, sealed[:-1], b"context"),
        (key, sealed[:27], b"context"),
        (key, b"", b"context"),
    ]:
        with pytest.raises(UnsealError) as refused:
            unseal(wrong_key, wrong, wrong_aad)
        assert refused.value.code == "seal_broken"


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_only_keys_of_32_bytes_seal(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(bytes(size), b"plaintext", b"context")
    with pytest.raises(ValueError, match="12 bytes"):
        seal(bytes(32), b"plaintext", b"context", nonce=b"short")


def test_derivation_is_rfc_5869s() -> None:
    # RFC 5869 appendix A.3: SHA-256 with zero-length salt and info.
    okm = derive_key(b"\x0b" * 22, b"", 42)
    assert okm.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert derive_key(b"secret", b"one") != derive_key(b"secret", b"two")
    assert len(derive_key(b"secret", b"one")) == 32
