"""Test numbers that pass the eleven-test and start with 99999: nobody's."""

from __future__ import annotations

from datwat.protocol.blinding import BsnError, normalise_bsn


def _is_valid(number: int) -> bool:
    try:
        normalise_bsn(str(number))
    except BsnError:
        return False
    return True


BSNS = tuple(str(number) for number in range(999_990_000, 1_000_000_000) if _is_valid(number))
