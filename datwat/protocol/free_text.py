"""What somebody typed freely, held against promise 1: no citizen service number in it. Pure.

Rule: nine digits that pass the eleven-test count, however they are spaced: now and then another
number does too, and is left out as well.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from datwat.protocol.blinding import BsnError, normalise_bsn

_NUMBER: Final = re.compile(r"(?<!\d)\d(?:[ \t._/\-\u2010-\u2015]{0,2}\d){8}(?!\d)")
_UNSEEN: Final = "Cf"  # Unicode: signs that are not shown, such as a space of no width


def has_number(text: str) -> bool:
    """Tell whether a text has a number that may be a BSN."""
    return any(_is_bsn(found.group()) for found in _NUMBER.finditer(_spell_plainly(text)))


def _spell_plainly(text: str) -> str:
    """Return a text as it is read: every digit of whatever script 0 to 9, without unseen signs."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(sign, sign))
        for sign in plain
        if unicodedata.category(sign) != _UNSEEN
    )


def _is_bsn(spelled: str) -> bool:
    try:
        normalise_bsn(re.sub(r"\D", "", spelled))
    except BsnError:
        return False
    return True
