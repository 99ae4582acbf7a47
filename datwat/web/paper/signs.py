"""Which signs can be printed: a text as the press can set it, whatever somebody's name holds. Pure.

Rules: PDF/UA wants a glyph for every sign, and one that is missing would cost a person the whole
document; so a sign that no font of the press has becomes an open box, and the file for a program
holds the text as it was. What turns the direction of writing, and what no eye sees, is left out:
nobody's name reorders a line. The ranges are what the fonts have; a test sets all of them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

BOX: Final = "□"
# Latin, Greek, Cyrillic, Hebrew, Arabic; punctuation, currencies, arrows, the shapes of our own.
_RANGES: Final = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x2B0, 0x2FF), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A),
    (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x481), (0x48A, 0x4FF), (0x5D0, 0x5EA), (0x5F0, 0x5F4),
    (0x606, 0x60C), (0x61B, 0x61B), (0x61F, 0x61F), (0x621, 0x63A), (0x640, 0x64A), (0x660, 0x66D),
    (0x679, 0x67B), (0x67E, 0x680), (0x683, 0x684), (0x686, 0x687), (0x691, 0x691), (0x698, 0x698),
    (0x6A4, 0x6A4), (0x6A9, 0x6A9), (0x6AF, 0x6AF), (0x6BE, 0x6BE), (0x6CC, 0x6CC), (0x6F0, 0x6F9),
    (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x205E), (0x20A0, 0x20BF), (0x2122, 0x2122),
    (0x2190, 0x2193), (0x25A0, 0x25A1), (0x25CF, 0x25CF),
)  # fmt: skip
_GAPS: Final = frozenset({0x2041, 0x2043, 0x2053})
PRINTABLE: Final = frozenset(
    chr(code)
    for first, last in _RANGES
    for code in range(first, last + 1)
    if code not in _GAPS and unicodedata.category(chr(code)) not in {"Cn", "Cf", "Mn", "Me"}
)
_UNSEEN: Final = frozenset({"Cf", "Mn", "Me", "Mc"})
_BREAKS: Final = frozenset("\n\u2028\u2029")
# Longer than any word that people write: it may be broken anywhere, so as to stay on the page.
_ENDLESS: Final = re.compile(r"\S{36,}")
_PIECE: Final = 12


def clean_text(text: str) -> str:
    """Return a text with printable signs only; a line break stays one, any other control a space.

    Accents become one sign with their letter (NFC) where Unicode has it; others are left out.
    Nothing of it is kept: what somebody reads or types is gone with their document.
    """
    seen = unicodedata.normalize("NFC", text)
    if not PRINTABLE.issuperset(seen):
        seen = "".join(map(_clean_sign, seen))
    return _ENDLESS.sub(_break, seen)


def _break(found: re.Match[str]) -> str:
    word = found[0]
    return "\u200b".join(word[at : at + _PIECE] for at in range(0, len(word), _PIECE))


@lru_cache(4_096)
def _clean_sign(sign: str) -> str:
    if sign in PRINTABLE:
        return sign
    if sign in _BREAKS:
        return "\n"
    category = unicodedata.category(sign)
    if category in _UNSEEN:
        return ""
    return " " if category in {"Cc", "Zs"} else BOX
