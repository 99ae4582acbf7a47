"""Numbers that stand for persons where acts are counted: the same thing, the same number.

Rule: a number tells nobody who it is without the broker's row key, and means nothing elsewhere; one
kind's numbers are not another's. Source: AVG 4(5), 25; RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

from broker.pseudonyms.row_keys import OVERSIGHT, RowKeys

VeiledKind = Literal["professional", "subject", "occasion"]
_SIZE = 8
# No 0, 1, I and O: what is read aloud is not misheard.
_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_SHOWN = 6


class Veil:
    """Turns what would name somebody into a number of 64 bits, signed as a database has it."""

    def __init__(self, row_key: RowKeys | bytes) -> None:
        """Take the key that outlives the broker's row key: its numbers cannot be made anew."""
        self._key = RowKeys.of(row_key).derive_kept(OVERSIGHT)

    def hide(self, kind: VeiledKind, value: bytes) -> int:
        """Return the number of a value of this kind."""
        digest = hmac.digest(self._key, kind.encode() + b"\0" + value, hashlib.sha256)
        return int.from_bytes(digest[:_SIZE], "big", signed=True)

    def hide_professional(self, partner: str, staff_id: str) -> int:
        """Return the number of a professional: of one organisation, for staff ids are its own."""
        return self.hide("professional", f"{partner}\0{staff_id}".encode())


def build_label(number: int) -> str:
    """Return six signs by which an officer tells one number from the others of a list."""
    left, signs = number % (1 << 64), ""
    for _ in range(_SHOWN):
        left, digit = divmod(left, len(_SIGNS))
        signs += _SIGNS[digit]
    return signs
