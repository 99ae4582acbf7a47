"""Looking for a number in whatever form it could leak, in files and in what travelled.

A leak is found as digits, in other alphabets, as an integer's bytes, and behind base64 (of the
digits at all three offsets, and of anything that decodes to something with a needle in it, such as
the parts of a JWS). Four bytes of an integer occur in random data by chance: those count only where
all marked numbers are found so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_RUN = re.compile(rb"[A-Za-z0-9_+/-]{12,}={0,2}")
_DEPTH = 3
_DIGITS = 9
WEAK = frozenset({"integer, 4 bytes, big-endian", "integer, 4 bytes, little-endian"})


def build_needles(bsn: str) -> dict[str, bytes]:
    """Return every form of a number that is looked for, by name."""
    digits, number = bsn.encode(), int(bsn)
    needles = {
        "digits": digits,
        "digits without leading zero": str(number).encode(),
        "digits in UTF-16": bsn.encode("utf-16-le"),
        "digits in hex": digits.hex().encode(),
        "integer in hex": f"{number:x}".encode(),
        "integer in upper hex": f"{number:X}".encode(),
        "integer, 8 bytes, big-endian": number.to_bytes(8, "big"),
        "integer, 8 bytes, little-endian": number.to_bytes(8, "little"),
        "integer, 4 bytes, big-endian": number.to_bytes(4, "big"),
        "integer, 4 bytes, little-endian": number.to_bytes(4, "little"),
    }
    return needles | build_base64_needles(digits)


def build_base64_needles(plain: bytes) -> dict[str, bytes]:
    """Return what base64 text is sure to hold where `plain` stands in what it encodes."""
    needles = {}
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + plain)
        # The first characters mix with what comes before, the last with what comes after.
        first = (offset * 8 + 5) // 6
        last = (offset + len(plain)) * 8 // 6
        needles[f"base64 at offset {offset}"] = encoded[first:last]
        needles[f"base64url at offset {offset}"] = encoded.translate(bytes.maketrans(b"+/", b"-_"))[
            first:last
        ]
    return needles


def find_in_bytes(data: bytes, needles: Mapping[str, bytes], depth: int = _DEPTH) -> Iterator[str]:
    """Yield the name of each form that is in `data`, or in what its base64 decodes to."""
    for name, needle in needles.items():
        if needle in data:
            yield name
    if depth == 0:
        return
    for run in _RUN.findall(data):
        plain = _decode(run)
        if plain is not None:
            for name in find_in_bytes(plain, needles, depth - 1):
                if name not in WEAK:
                    yield f"{name}, behind base64"


def find_leaks(things: Iterable[tuple[str, bytes]], bsns: Iterable[str]) -> list[str]:
    """Return where any of the numbers was found and how; weak forms only where all of them were."""
    every = [build_needles(bsn) for bsn in bsns]
    leaks = []
    for where, data in things:
        found = [set(find_in_bytes(data, needles)) for needles in every]
        strong = set().union(*found) - WEAK
        weak = set.intersection(*found) & WEAK
        leaks += [f"{where}: {name}" for name in sorted(strong | weak)]
    return leaks


def read_files(folder: Path, *, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder by its path."""
    left_out = tuple(without)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(other) for other in left_out):
            yield str(path.relative_to(folder)), path.read_bytes()


def _decode(run: bytes) -> bytes | None:
    text = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    # A run may begin or end with a character that is not of it: then the rest still decodes.
    text = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
