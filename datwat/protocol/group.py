"""The group ristretto255 (RFC 9496) over the system's libsodium, through ctypes.

A failed multiplication leaves an all-zero output: unchecked, everyone becomes one person. So every
return code is checked, lengths are exact, the identity is never taken nor given, and scalars must
be canonical and not zero (libsodium would take 5 + L as 5). Hashing: RFC 9380 section 5.3.1.
"""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache

from datwat.protocol.errors import DatwatError, ProtocolError

SIZE = 32
_IDENTITY = bytes(SIZE)
ORDER = 2**252 + 27742317777372353535851937790883648493
_LIBRARIES = ("libsodium.so.23", "libsodium.so.26", "libsodium.so", "libsodium.dylib")
_SHA512_BLOCK = bytes(128)
_WIDE = 64


class GroupError(ProtocolError):
    """A point or a scalar that is not one."""

    code = "group_refused"
    default_detail = "A point or scalar is not valid."


class PointError(GroupError):
    """Not a canonical point of the group, or the identity."""

    code = "group_point"
    default_detail = "A point is not a canonical point other than the identity."


class ScalarError(GroupError):
    """Not a canonical scalar, or zero."""

    code = "group_scalar"
    default_detail = "A scalar does not lie between zero and the order of the group."


class LibsodiumMissingError(DatwatError):
    """The system part that does the arithmetic is not installed, or too old."""

    code = "libsodium_missing"
    default_detail = (
        "libsodium 1.0.18 or newer with ristretto255 is not installed: "
        "install the Debian or Ubuntu package libsodium23."
    )


@cache
def _sodium() -> ctypes.CDLL:
    """Load and initialise libsodium once per process."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.crypto_core_ristretto255_from_hash.restype = ctypes.c_int
        except (OSError, AttributeError):
            continue
        if library.sodium_init() >= 0:
            return library
    raise LibsodiumMissingError


def require_scalar(scalar: bytes) -> bytes:
    """Return `scalar` (32 bytes, little-endian) if 0 < scalar < L; raise ScalarError if not."""
    if len(scalar) != SIZE or not 0 < int.from_bytes(scalar, "little") < ORDER:
        raise ScalarError
    return scalar


def _require_point_form(point: bytes) -> bytes:
    if len(point) != SIZE or point == _IDENTITY:
        raise PointError
    return point


def require_point(point: bytes) -> bytes:
    """Return `point` if it is canonical and not the identity; raise PointError if not."""
    if _sodium().crypto_core_ristretto255_is_valid_point(_require_point_form(point)) != 1:
        raise PointError
    return point


def multiply(scalar: bytes, point: bytes) -> bytes:
    """Return scalar · point; raise ScalarError or PointError, never a wrong point."""
    out = ctypes.create_string_buffer(SIZE)
    status = _sodium().crypto_scalarmult_ristretto255(
        out, require_scalar(scalar), _require_point_form(point)
    )
    if status != 0:
        raise PointError
    return _require_point_form(out.raw)


def multiply_base(scalar: bytes) -> bytes:
    """Return scalar · G, G the generator; raise ScalarError."""
    out = ctypes.create_string_buffer(SIZE)
    if _sodium().crypto_scalarmult_ristretto255_base(out, require_scalar(scalar)) != 0:
        raise PointError
    return _require_point_form(out.raw)


def add(first: bytes, second: bytes) -> bytes:
    """Return first + second; raise PointError also where the sum is the identity."""
    out = ctypes.create_string_buffer(SIZE)
    status = _sodium().crypto_core_ristretto255_add(
        out, _require_point_form(first), _require_point_form(second)
    )
    if status != 0:
        raise PointError
    return _require_point_form(out.raw)


def random_scalar() -> bytes:
    """Return a fresh scalar, uniform over 1 … L-1."""
    out = ctypes.create_string_buffer(SIZE)
    _sodium().crypto_core_ristretto255_scalar_random(out)
    return require_scalar(out.raw)


def invert_scalar(scalar: bytes) -> bytes:
    """Return 1/scalar modulo L."""
    out = ctypes.create_string_buffer(SIZE)
    if _sodium().crypto_core_ristretto255_scalar_invert(out, require_scalar(scalar)) != 0:
        raise ScalarError
    return require_scalar(out.raw)


def add_scalars(first: bytes, second: bytes) -> bytes:
    """Return first + second modulo L; raise ScalarError where the sum is zero."""
    out = ctypes.create_string_buffer(SIZE)
    _sodium().crypto_core_ristretto255_scalar_add(
        out, require_scalar(first), require_scalar(second)
    )
    return require_scalar(out.raw)


def multiply_scalars(first: bytes, second: bytes) -> bytes:
    """Return first · second modulo L."""
    out = ctypes.create_string_buffer(SIZE)
    _sodium().crypto_core_ristretto255_scalar_mul(
        out, require_scalar(first), require_scalar(second)
    )
    return require_scalar(out.raw)


def negate_scalar(scalar: bytes) -> bytes:
    """Return -scalar modulo L."""
    out = ctypes.create_string_buffer(SIZE)
    _sodium().crypto_core_ristretto255_scalar_negate(out, require_scalar(scalar))
    return require_scalar(out.raw)


def reduce_scalar(wide: bytes) -> bytes:
    """Return 64 little-endian bytes modulo L; raise ScalarError for another length or zero."""
    if len(wide) != _WIDE:
        raise ScalarError
    out = ctypes.create_string_buffer(SIZE)
    _sodium().crypto_core_ristretto255_scalar_reduce(out, wide)
    return require_scalar(out.raw)


def expand_message(message: bytes, dst: bytes) -> bytes:
    """Return 64 uniform bytes: expand_message_xmd with SHA-512 (RFC 9380 section 5.3.1)."""
    suffix = dst + len(dst).to_bytes(1, "big")
    first = hashlib.sha512(_SHA512_BLOCK + message + b"\x00\x40\x00" + suffix).digest()
    return hashlib.sha512(first + b"\x01" + suffix).digest()


def hash_to_group(message: bytes, dst: bytes) -> bytes:
    """Return the point of `message` under the domain separation tag `dst` (at most 255 bytes)."""
    out = ctypes.create_string_buffer(SIZE)
    if _sodium().crypto_core_ristretto255_from_hash(out, expand_message(message, dst)) != 0:
        raise PointError
    return _require_point_form(out.raw)


def hash_to_scalar(message: bytes, dst: bytes) -> bytes:
    """Return the scalar of `message` under `dst` (RFC 9497 section 4.1)."""
    return reduce_scalar(expand_message(message, dst))
