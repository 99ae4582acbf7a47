"""Introduction codes as people write them: groups of four signs, none that looks like another.

The 16 bytes stand in Crockford's base 32 (no I, L, O, U), most significant bit first, with the rest
of a division by a prime below 2^10 as two more signs: one wrong sign, or two that changed places,
are always found before a code is spent. What an application shows in base64url is read too. Pure.
"""

from __future__ import annotations

from typing import Final

from datwat.protocol.values import decode_bytes

_SIGNS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE: Final = str.maketrans("OIL", "011", "- \t")
_SIZE: Final = 16
_BASE: Final = 26  # signs for 128 bits
_CHECK: Final = 2
_PRIME: Final = 1_021
_GROUP: Final = 4
_URL_LENGTH: Final = 22


def write_code(code: bytes) -> str:
    """Return 16 bytes as seven groups of four signs."""
    signs = _write(int.from_bytes(code, "big"), _BASE) + _derive_check(code)
    return "-".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


def read_code(text: str) -> bytes | None:
    """Return the bytes of a code as it was typed, or None for one that cannot be right."""
    typed = text.strip()
    if len(typed) == _URL_LENGTH:
        try:
            return decode_bytes(typed)
        except ValueError:
            return None
    signs = typed.upper().translate(_ALIKE)
    if len(signs) != _BASE + _CHECK or not set(signs) <= set(_SIGNS):
        return None
    number = 0
    for sign in signs[:_BASE]:
        number = number * len(_SIGNS) + _SIGNS.index(sign)
    if number >= 1 << (8 * _SIZE):
        return None
    code = number.to_bytes(_SIZE, "big")
    return code if _derive_check(code) == signs[_BASE:] else None


def _derive_check(code: bytes) -> str:
    return _write(int.from_bytes(code, "big") % _PRIME, _CHECK)


def _write(number: int, length: int) -> str:
    signs = ""
    for _ in range(length):
        number, digit = divmod(number, len(_SIGNS))
        signs = _SIGNS[digit] + signs
    return signs
