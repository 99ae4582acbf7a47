"""A citizen service number in a text is found however it is written, and other numbers are not."""

from __future__ import annotations

import pytest

from datwat.protocol.free_text import has_number

_WIDE = "".join(chr(ord(sign) + 0xFEE0) for sign in "999990019")
_ARABIC = "".join(chr(ord(sign) + 0x0630) for sign in "999990019")


@pytest.mark.parametrize(
    "written",
    [
        "999990019",
        "999 990 019",
        "9999.90.019",
        "999\u00a0990\u00a0019",
        "999  990 - 019".replace(" - ", "--"),
        "999_990_019",
        "999\u2013990\u2013019",
        "99999\u200b0019",
        _WIDE,
        _ARABIC,
    ],
)
def test_it_is_found_however_it_is_written(written: str) -> None:
    assert has_number(f"Over de heer met {written}, zie boven.")


@pytest.mark.parametrize(
    "other", ["999990018", "1999990019", "020 123 4567", "2026-11-25 12:00", "²", "½ van 12"]
)
def test_another_number_is_none(other: str) -> None:
    assert not has_number(f"Bel {other} morgen.")
